"""Microsoft's worker and our host judge the same apps and invocations, and must say the same."""

from collections.abc import Mapping

import pytest

from tests.conformance.calls import CALLS, OF_OUR_APP
from tests.conformance.definitions import GOOD, REFUSED
from tests.conformance.interpreter import HOUSE, MISSING, NoPython313
from tests.conformance.page import PAGE, page
from tests.conformance.verdicts import CALLED, OURS, Case, cases

INVOCATIONS = [str(call["name"]) for call in (*CALLS, *OF_OUR_APP)]
Judged = Mapping[str, Case]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    try:
        return {one.name: one for one in cases(tmp_path_factory.mktemp("apps"))}
    except NoPython313:
        pytest.skip(MISSING)


@pytest.mark.parametrize("name", [*GOOD, CALLED, OURS])
def test_an_app_that_the_worker_takes_is_taken(judged: Judged, name: str) -> None:
    one = judged[name]
    assert "functions" in one.worker, f"this is no good app: {one.worker}"
    assert one.host == one.worker


@pytest.mark.parametrize("name", REFUSED)
def test_an_app_that_the_worker_refuses_is_refused(judged: Judged, name: str) -> None:
    one = judged[name]
    assert "refused" in one.worker, f"the worker takes it: {one.worker}"
    assert "refused" in one.host, f"the host takes it: {one.host}; the worker says {one.worker}"


@pytest.mark.parametrize("name", INVOCATIONS)
def test_an_invocation_ends_as_with_the_worker(judged: Judged, name: str) -> None:
    assert judged[name].host == judged[name].worker


def test_our_app_loads_whole_on_the_worker(judged: Judged) -> None:
    health = judged["our app: health without settings"].worker
    assert '"failed": {}' in health["returned"]["body"], (
        "a module of ours needs a package: see tests/conformance/requirements.in"
    )


def test_the_page_shows_what_is_so(judged: Judged) -> None:
    assert PAGE.read_text() == page(list(judged.values())), "write it anew: make conformance"


def test_the_reason_to_skip_has_leave() -> None:
    assert MISSING in (HOUSE / "tests/allowed_skips.txt").read_text().splitlines()
