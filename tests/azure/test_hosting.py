"""Staging: one service a release, made once, asked with its key; and what people read when it does not come up."""

import asyncio
import json
import logging
import urllib.error
import urllib.request
from typing import Any

import pytest

from shared.errors import NotFound, StepFailed, Unavailable
from shared.ports import Service
from tests.azure.releases import PROJECT, RELEASE, SCORE, Tiny

ROWS = json.dumps({"data": [{"a": 1, "b": 1}, {"a": 0, "b": 2}]}).encode()
SLOT = f"{RELEASE}-staging"
NAME = f"r{SLOT}"
CREATE = "POST /modelmanagement/v1.0{ws}/services"
CRASHES = SCORE.replace("    global weights\n", '    raise ValueError("the weights are bent")\n')


def scored(url: str, key: str, body: bytes = ROWS) -> list[float]:
    """Ask a service as its users do."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
        found: list[float] = json.loads(answer.read())
    return found


def keys_of(tiny: Tiny, service: str) -> tuple[str, str]:
    """Return the keys of a service, as its owner gets them."""

    def got(workspace: Any) -> tuple[str, str]:
        from azureml.core import Webservice

        primary, secondary = Webservice(workspace, service).get_keys()
        return str(primary), str(secondary)

    return tiny.azure.now("keys", got)


def failed(service: Service) -> str:
    """Return what is said of a service that failed."""
    assert service.status == "failed", service
    return service.log


def everything_kept(tiny: Tiny) -> str:
    """Return all that this app keeps and sends, as one text."""
    marks = asyncio.run(tiny.ledger.marks(""))
    state = [path.read_bytes() for path in tiny.azure.scope.state.rglob("*") if path.is_file()]
    sent = [json.dumps(each) for each in tiny.double.requests()]
    return repr((marks, vars(tiny.artifacts), state)) + "".join(sent)


def test_a_staged_release_answers_whoever_has_its_key_and_no_key_is_kept_anywhere(
    tiny: Tiny, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    image = tiny.manifest()

    slot = tiny.deploy("staging", RELEASE, image)
    service = tiny.stands(slot)

    primary, secondary = keys_of(tiny, NAME)
    assert (service.slot, service.status, service.image) == (SLOT, "answering", image), service.log
    assert scored(service.url, primary) == [5, 6]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        scored(service.url, "")
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        scored(service.url, secondary, b'{"data": [{"a": "x", "b": 1}]}')
    assert refused.value.headers["X-Signalbox-Release"] == RELEASE
    said = caplog.text + str(capfd.readouterr()) + repr(service) + everything_kept(tiny)
    assert [key for key in (primary, secondary) if key in said] == []
    (event,) = tiny.double.events("ModelDeployed")
    assert event["data"]["ServiceProperties"] == {
        "release": RELEASE,
        "slot": SLOT,
        "package": image,
        "project": PROJECT,
    }


def test_a_service_always_asks_for_a_key(tiny: Tiny) -> None:
    tiny.double.plan("service", kind="late")

    tiny.deploy("staging", RELEASE, tiny.manifest())

    (asked,) = [json.loads(each["body"]) for each in tiny.double.requests(CREATE)]
    assert asked["authEnabled"] is True
    assert asked["environmentImageRequest"]["environment"]["name"] == f"signalbox-{PROJECT}-0123456789ab"
    assert asked["environmentImageRequest"]["environment"]["version"] == "1"
    assert not asked.get("overwrite")


def test_a_slot_is_starting_until_it_answers_and_absent_before_it_is_asked_for(tiny: Tiny) -> None:
    assert asyncio.run(tiny.hosting.find(SLOT)) is None
    tiny.double.plan("service", kind="late")
    image = tiny.manifest()

    tiny.deploy("staging", RELEASE, image)

    assert asyncio.run(tiny.hosting.find(SLOT)) == Service(SLOT, "starting", image)
    assert tiny.double.events("ModelDeployed") == []


def test_a_lost_answer_makes_no_second_service(tiny: Tiny) -> None:
    tiny.double.plan("service", kind="late")
    image = tiny.manifest()
    tiny.double.fault("POST /modelmanagement/*/services", "lost", times=1)
    with pytest.raises(Unavailable):
        tiny.deploy("staging", RELEASE, image)

    tiny.deploy("staging", RELEASE, image)

    assert len(tiny.double.requests(CREATE)) == 1


@pytest.mark.parametrize("told", ["by its name", "by the answer"])
def test_a_name_that_was_taken_meanwhile_is_adopted_when_it_is_the_same_package(tiny: Tiny, told: str) -> None:
    tiny.double.plan("service", kind="late")
    image = tiny.manifest()
    tiny.deploy("staging", RELEASE, image)
    gone = {"error": {"code": "ServiceNotFound", "message": "Service was not found."}}
    tiny.double.fault(f"GET /modelmanagement/*/services/{NAME}", "", times=1, status=404, body=gone)
    if told == "by the answer":
        tiny.double.fault("POST /modelmanagement/*/services/validate/name/*", "", status=200, body={})

    tiny.deploy("staging", RELEASE, image)

    assert [each["status"] for each in tiny.double.requests(CREATE)] == [202, *[409] * (told == "by the answer")]


def test_files_that_are_not_those_approved_are_not_served(tiny: Tiny) -> None:
    image = tiny.manifest()
    tiny.train(weights={"a": 5, "b": 5})

    log = failed(tiny.stands(tiny.deploy("staging", RELEASE, image)))

    assert "was approved; look into the registry" in log


def test_a_version_whose_property_was_never_ours_is_not_deployed(tiny: Tiny) -> None:
    image = tiny.manifest()
    tiny.double.ask("POST", "/reset")
    tiny.register(weights={"a": 9})

    with pytest.raises(StepFailed, match=f"version 1 of {PROJECT} holds .* approved was"):
        tiny.deploy("staging", RELEASE, image)


def test_an_image_that_cannot_be_pulled_is_told_and_taken_away_before_it_comes_again(tiny: Tiny) -> None:
    tiny.double.plan("service", kind="registry", times=1)
    image = tiny.manifest()
    slot = tiny.deploy("staging", RELEASE, image)
    assert "could not be pulled from signalboxmlreg.azurecr.io" in failed(tiny.stands(slot))

    with pytest.raises(Unavailable, match="being taken away"):
        tiny.deploy("staging", RELEASE, image)
    assert asyncio.run(tiny.hosting.find(slot)) is None


def test_too_little_quota_says_where_more_is_asked_for(tiny: Tiny) -> None:
    image = tiny.manifest()
    tiny.double.fault("POST /modelmanagement/*/services", "quota", times=1)

    with pytest.raises(StepFailed, match="exceeding approved") as raised:
        tiny.deploy("staging", RELEASE, image)

    assert "Usage + quotas" in raised.value.advice


def test_stopping_deletes_the_service_once_and_waits_for_nothing(tiny: Tiny) -> None:
    tiny.double.plan("service", kind="late")
    slot = tiny.deploy("staging", RELEASE, tiny.manifest())

    for _ in range(2):
        asyncio.run(tiny.hosting.stop(slot))

    assert asyncio.run(tiny.hosting.find(slot)) is None
    deletions = [each["status"] for each in tiny.double.requests("DELETE /modelmanagement/v1.0{ws}/services/{name}")]
    assert deletions == [202, 204]
    deleted = next(at for at, each in enumerate(tiny.double.requests()) if each["method"] == "DELETE")
    assert [each for each in tiny.double.requests()[deleted:] if "operations" in each["path"]] == []


def test_a_package_that_is_not_kept_is_not_deployed(tiny: Tiny) -> None:
    with pytest.raises(NotFound):
        tiny.deploy("staging", RELEASE, "sha256:" + "0" * 64)
