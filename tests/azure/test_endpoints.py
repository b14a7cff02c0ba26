"""Production: one endpoint a project, one version a release, and an address that follows the newest generation."""

import ast
import asyncio
import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from shared.answers import Order
from shared.backends.azure.endpoints import Default
from shared.backends.azure.hosting import AzureHosting
from shared.backends.azure.workspace import Azure
from shared.control import Control
from shared.errors import Blocked, Conflict, StepFailed, Unavailable
from shared.ports import Seen, Service
from shared.release.config import read_projects
from shared.release.facts import LiveDecided, LiveSeen
from shared.sources import dead_letters
from shared.streams import environment_stream
from tests.azure.releases import OTHER, PROJECT, RELEASE, Tiny
from tests.azure.stand_in import HOUSE
from tests.azure.test_hosting import CRASHES, CREATE, everything_kept, failed, keys_of, scored
from tests.world import PROJECTS, World

FIRST, SECOND = f"{RELEASE}-production", f"{OTHER}-production"
CONVERGE = Order("converge", project=PROJECT, environment="production")
PATCH = "PATCH /modelmanagement/v1.0{ws}/services/{name}"


def up(tiny: Tiny, release: str = RELEASE, weights: dict[str, int] | None = None) -> Service:
    """Let a release serve in production, not live yet."""
    image = tiny.manifest(release, weights=weights or {"a": 2, "b": 3})
    service = tiny.stands(tiny.deploy("production", release, image))
    assert service.status == "answering", service.log
    return service


def point(tiny: Tiny, release: str, generation: int) -> None:
    """Let the address answer from a release."""
    slot = f"{release}-production"
    asyncio.run(tiny.hosting.point(PROJECT, "production", slot, release, generation))


def seen(tiny: Tiny) -> Seen | None:
    """Ask the address who answers."""
    return asyncio.run(tiny.hosting.seen(PROJECT, "production"))


def answer(tiny: Tiny) -> list[float]:
    """Ask the stable address for a score, as its users do."""
    return scored(tiny.hosting.address(PROJECT, "production"), keys_of(tiny, PROJECT)[0])


def test_one_patch_makes_a_version_the_default_and_says_by_which_generation(tiny: Tiny) -> None:
    up(tiny)

    point(tiny, RELEASE, 1)
    point(tiny, RELEASE, 1)

    (asked,) = [json.loads(each["body"]) for each in tiny.double.requests(PATCH)]
    assert [each["path"] for each in asked] == [f"/versions/r{RELEASE}/{name}" for name in ("isDefault", "tags")]
    assert asked[1]["value"]["generation"] == "1"


def _rotate(workspace: Any) -> None:
    # The SDK's own way waits for five seconds.
    from azureml._model_management._util import make_mms_request

    make_mms_request(workspace, "POST", f"/services/{PROJECT}/regenerateKeys", {"keyType": "Primary"}, params={})


def test_the_address_is_really_asked_who_answers_and_no_key_is_kept_of_that(
    tiny: Tiny, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    service = up(tiny)
    point(tiny, RELEASE, 1)
    assert seen(tiny) == Seen(RELEASE, 1)
    (event,) = tiny.double.events("ModelDeployed")
    assert (event["data"]["ServiceName"], event["data"]["ServiceProperties"]["slot"]) == (PROJECT, FIRST)

    key, _ = keys_of(tiny, PROJECT)
    asked = Default(RELEASE, 1, service.url, key)
    assert asked.answers(10)
    assert not structs.replace(asked, release=OTHER).answers(10), "another release answers than Azure says"
    assert not structs.replace(asked, key="wrong").answers(10)
    tiny.azure.now("a new key", _rotate)
    assert not asked.answers(10)
    assert seen(tiny) == Seen(RELEASE, 1), "keys are fetched when they are needed"
    tiny.double.ask("POST", f"/crash/{PROJECT}/r{RELEASE}")
    assert seen(tiny) is None, "Azure still calls it healthy, and nobody answers"
    assert key not in caplog.text + str(capfd.readouterr()) + repr(asked) + everything_kept(tiny)


def test_an_endpoint_that_speaks_no_http_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as beside:

        def babbles() -> None:
            one, _ = listening.accept()
            with one:
                one.recv(4096)
                one.sendall(b"no status at all\r\n\r\n")

        said = beside.submit(babbles)

        assert not Default(RELEASE, 1, f"http://127.0.0.1:{listening.getsockname()[1]}/score", "key").answers(20)
        said.result()


def test_a_slot_that_does_not_answer_is_not_led_to(tiny: Tiny) -> None:
    with pytest.raises(Unavailable, match=f"there is no slot {FIRST}"):
        point(tiny, RELEASE, 1)
    tiny.double.plan("service", kind="late")
    tiny.deploy("production", RELEASE, tiny.manifest())

    with pytest.raises(Unavailable, match=f"slot {FIRST} is Transitioning"):
        point(tiny, RELEASE, 1)

    assert tiny.double.requests(PATCH) == []


@pytest.mark.parametrize("told", ["400", "404", "409"])
def test_an_address_that_refuses_to_move_is_asked_again_later_and_fails_nothing(tiny: Tiny, told: str) -> None:
    up(tiny)
    tiny.double.fault(f"PATCH /modelmanagement/*/services/{PROJECT}", told, times=1, words="Service is transitioning.")

    with pytest.raises(Unavailable, match=r"cannot be led to .* yet: .*Service is transitioning"):
        point(tiny, RELEASE, 1)

    point(tiny, RELEASE, 1)
    assert seen(tiny) == Seen(RELEASE, 1)


def test_a_version_that_is_refused_while_its_endpoint_changes_is_deployed_later(tiny: Tiny) -> None:
    up(tiny)
    image = tiny.manifest(OTHER, weights={"a": 1, "b": 1})
    tiny.double.fault(f"PATCH /modelmanagement/*/services/{PROJECT}", "409", times=1, words="Service is transitioning.")

    with pytest.raises(Unavailable, match=r"Service is transitioning.*; it is deployed once that is over"):
        tiny.deploy("production", OTHER, image)

    assert tiny.stands(tiny.deploy("production", OTHER, image)).status == "answering"


def test_a_live_version_that_broke_beside_another_is_told_with_what_to_do(tiny: Tiny) -> None:
    image = tiny.manifest(score=CRASHES)
    failed(tiny.stands(tiny.deploy("production", RELEASE, image)))
    up(tiny, OTHER, {"a": 1, "b": 1})

    with pytest.raises(Blocked, match=f"slot {FIRST} is live and .*: roll back to another release, or mend it"):
        tiny.deploy("production", RELEASE, image)


def test_without_a_cluster_for_production_nothing_is_staged_for_people_to_approve(tiny: Tiny) -> None:
    image = tiny.manifest()
    bare = Azure(structs.replace(tiny.azure.scope, aks=""))
    hosting = AzureHosting(bare, tiny.artifacts)

    with pytest.raises(Blocked, match="name it in AZUREML_AKS"):
        asyncio.run(hosting.deploy(f"{RELEASE}-staging", PROJECT, "staging", RELEASE, image))

    assert tiny.double.requests(CREATE) == []


@pytest.mark.parametrize("gone", ["models", "environments"])
def test_what_the_manifest_names_and_was_deleted_ends_in_the_words_of_azure(tiny: Tiny, gone: str) -> None:
    image = tiny.manifest()
    tiny.double.fault(f"GET */{gone}/*", "404", words="It was deleted.")

    with pytest.raises(StepFailed, match="It was deleted") as failure:
        tiny.deploy("staging", RELEASE, image)

    assert failure.value.advice == "It was deleted from the workspace: open the release again"


def test_a_version_that_crashes_is_told_with_its_log_and_can_be_taken_away(tiny: Tiny) -> None:
    slot = tiny.deploy("production", RELEASE, tiny.manifest(score=CRASHES))

    log = failed(tiny.stands(slot))

    assert "CrashLoopBackOff: Your container application crashed." in log
    assert log.endswith("ValueError: the weights are bent (score.py:4)")
    assert seen(tiny) is None
    asyncio.run(tiny.hosting.stop(slot))
    assert asyncio.run(tiny.hosting.find(slot)) is None


def test_a_second_version_of_another_package_is_a_conflict_and_of_the_same_nothing_new(tiny: Tiny) -> None:
    tiny.double.plan("service", kind="late")
    image, other = tiny.manifest(), tiny.manifest(OTHER)
    for _ in range(2):
        tiny.deploy("production", RELEASE, image)

    with pytest.raises(Conflict, match=f"slot {FIRST} is there with the package {image}, not {other}"):
        asyncio.run(tiny.hosting.deploy(FIRST, PROJECT, "production", RELEASE, other))

    assert len(tiny.double.requests("POST /modelmanagement/v1.0{ws}/services")) == 1


def test_a_lost_answer_makes_no_second_version(tiny: Tiny) -> None:
    tiny.double.plan("service", kind="late")
    tiny.deploy("production", RELEASE, tiny.manifest())
    second = tiny.manifest(OTHER)
    tiny.double.fault("PATCH /modelmanagement/*/services/*", "lost", times=1)
    with pytest.raises(Unavailable):
        tiny.deploy("production", OTHER, second)

    tiny.deploy("production", OTHER, second)

    assert len(tiny.double.requests(PATCH)) == 1


def test_another_process_finds_the_project_of_a_slot_by_the_version_of_its_release(tiny: Tiny) -> None:
    tiny.double.plan("service", kind="late")
    image = tiny.manifest()
    tiny.deploy("production", RELEASE, image)
    other = Tiny(tiny.double, tiny.azure, tiny.ledger, tiny.artifacts)

    assert asyncio.run(other.hosting.find(FIRST)) == Service(FIRST, "starting", image)
    assert asyncio.run(other.hosting.find(SECOND)) is None


def test_the_address_is_the_id_of_the_endpoint_until_it_was_seen(tiny: Tiny) -> None:
    assert tiny.hosting.address(PROJECT, "production") == f"azureml:/{tiny.azure.scope.path}/services/{PROJECT}"
    assert tiny.hosting.address(PROJECT, "staging") == ""


def _updates(path: Path) -> list[str]:
    """Return the calls by which a service is changed in place."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    overwriting = [
        f"{path.name}:{call.lineno}" for call in calls for given in call.keywords if given.arg == "overwrite"
    ]
    named = [(call, call.func) for call in calls if isinstance(call.func, ast.Attribute)]
    updating = [f"{path.name}:{call.lineno}" for call, func in named if func.attr in ("update", "_update")]
    return [*overwriting, *updating]


def test_no_service_is_ever_changed_in_place() -> None:
    backend = sorted((HOUSE / "shared/backends/azure").glob("*.py"))

    assert len(backend) > 10
    assert [each for path in backend for each in _updates(path)] == []


def test_an_update_in_place_would_be_noticed(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("Webservice(workspace, name).update(models=[model])\nModel.deploy(name, overwrite=True)\n")

    assert len(_updates(planted)) == 2


def _names(*projects: Any) -> list[str]:
    from shared.backends.azure import names

    return [names.endpoint(str(project)) for project in projects]


def test_the_name_of_an_endpoint_is_the_project_or_as_much_of_it_as_azure_takes() -> None:
    odd = ["Flight_Delays", "a" * 33, "9lives", "x", "ends-", "flight delays", RELEASE, f"r{RELEASE}"]

    assert _names("diabetes", "flight-delays") == ["diabetes", "flight-delays"]
    assert all(3 <= len(name) <= 32 for name in _names(*odd))
    assert len({*_names(*odd)}) == len(odd)
    assert _names(*odd) == _names(*odd)
    # Its parts import each other in a circle that begins here.
    import azureml.core  # noqa: F401
    from azureml._model_management._util import webservice_name_validation

    for name in _names(*odd):
        webservice_name_validation(name)


def controlled(tiny: Tiny) -> Control:
    """Return the controller of a world whose one project is served by the double."""
    world = World(projects=dict(read_projects(PROJECTS.replace("houses]", f"{PROJECT}]")).projects))
    outside = structs.replace(world.control.outside, ledger=tiny.ledger, hosting=tiny.hosting)
    return Control.over(outside, world.control.event_seconds, world.control.patrolling.heads.minutes)


def decide(control: Control, release: str, generation: int) -> None:
    """Decide what is live, as promote does."""
    slot = f"{release}-production"
    decided = LiveDecided(generation, release, generation, slot, generation, "sha256:package", "ana", "promoted")
    asyncio.run(control.streams.add(environment_stream(PROJECT, "production"), [decided]))


def work(control: Control) -> None:
    """Deliver the order that lets the address follow."""
    asyncio.run(control.work(CONVERGE.text(), "one delivery"))


def patrol(control: Control) -> list[Order]:
    """Let the patrol look."""
    return list(asyncio.run(control.patrol(dead_letters.told)).orders)


def live_seen(control: Control) -> list[int]:
    """Return the generations that were seen at the address, as the stream has them."""
    stream = asyncio.run(control.streams.read(environment_stream(PROJECT, "production")))
    return [fact.generation for fact in stream.facts if isinstance(fact, LiveSeen)]


def test_an_older_switch_that_lands_after_a_newer_one_is_put_right_by_the_patrol(tiny: Tiny) -> None:
    first, second = up(tiny), up(tiny, OTHER, {"a": 10, "b": 10})
    control = controlled(tiny)
    decide(control, RELEASE, 1)
    tiny.double.plan("switch", times=1)
    with pytest.raises(Unavailable, match=f"does not answer from {FIRST} yet"):
        work(control)
    assert live_seen(control) == [], "a switch that Azure took and did not make yet is not seen"

    decide(control, OTHER, 2)
    work(control)
    assert (live_seen(control), answer(tiny)) == ([2], [20, 20])
    assert patrol(control) == []

    tiny.double.ask("POST", "/held")
    assert answer(tiny) == [5, 6], "the older switch has landed"
    assert patrol(control) == [CONVERGE]
    work(control)

    assert (seen(tiny), answer(tiny)) == (Seen(OTHER, 2), [20, 20])
    assert set(live_seen(control)) == {2}
    assert patrol(control) == []
    key = keys_of(tiny, PROJECT)[0]
    assert (scored(first.url, key), scored(second.url, key)) == ([5, 6], [20, 20]), "each version by its own address"
    taken_away(tiny)


def taken_away(tiny: Tiny) -> None:
    """Stop what is live while another is there, which Azure does not take away, then the other, then it."""
    with pytest.raises(Unavailable, match=f"answers from {SECOND}; it is stopped once that moved on"):
        asyncio.run(tiny.hosting.stop(SECOND))
    assert asyncio.run(tiny.hosting.find(SECOND)) is not None, "the default of several stays"
    asyncio.run(tiny.hosting.stop(FIRST))
    assert asyncio.run(tiny.hosting.find(FIRST)) is None
    assert answer(tiny) == [20, 20]
    asyncio.run(tiny.hosting.stop(SECOND))
    assert asyncio.run(tiny.hosting.find(SECOND)) is None
    assert seen(tiny) is None
