"""Event Grid as the way to people: by Microsoft's own client, with retries that work and ids that are computed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from shared.backends.azure.grid import GridNotifier, Topic
from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked, SignalboxError, Unavailable
from tests.azure.double.topic import HOST, KEY
from tests.azure.stand_in import StandIn

ENDPOINT = f"https://{HOST}/api/events"
ROUTE = f"POST {HOST}/api/events"
TOKEN = "POST /{tenant}/oauth2/v2.0/token"
RELEASE = "7c21aa90bb41cc52dd63"


class Told:
    """A notifier, and the pauses it made."""

    def __init__(self, scope: Scope, key: str = KEY) -> None:
        self.pauses: list[float] = []
        self.notifier = GridNotifier(Topic(ENDPOINT, key, Azure(scope), self.pauses.append))

    def tell(self, to: str = "ana@example.org") -> None:
        asyncio.run(self.notifier.notify(f"{RELEASE}-ask-1", to, "Approve houses v2?", "Open the link."))


@pytest.fixture
def told(scope: Scope) -> Told:
    return Told(scope)


def taken(double: StandIn) -> list[dict[str, Any]]:
    """Return the events that the topic took, by its own answers."""
    good = [each for each in double.requests("POST /api/events") if each["status"] == 200]
    return [event for each in good for event in json.loads(each["body"])]


def test_a_notice_is_an_event_that_says_what_to_tell_whom(double: StandIn, told: Told) -> None:
    told.tell()
    (event,) = taken(double)
    assert (event["eventType"], event["subject"]) == ("Signalbox.PersonTold", "people/ana@example.org")
    assert event["data"] == {
        "name": f"{RELEASE}-ask-1",
        "to": "ana@example.org",
        "subject": "Approve houses v2?",
        "text": "Open the link.",
    }


def test_the_same_notice_told_again_is_the_same_event_and_to_another_person_another(
    double: StandIn, scope: Scope
) -> None:
    for told, to in ((Told(scope), "ana@example.org"), (Told(scope), "ana@example.org"), (Told(scope), "bo@b.org")):
        told.tell(to)
    first, again, other = (event["id"] for event in taken(double))
    assert first == again != other


@pytest.mark.parametrize("kind", ["429", "503", "lost"])
def test_a_topic_that_does_not_take_it_once_is_asked_again(double: StandIn, told: Told, kind: str) -> None:
    double.fault(ROUTE, kind, times=1)
    told.tell()
    assert len(double.requests("POST /api/events")) == 2
    assert len({event["id"] for event in taken(double)}) == 1
    assert told.pauses == [0.5]


@pytest.mark.parametrize("kind", ["429", "500", "503"])
def test_a_topic_that_never_takes_it_is_unavailable_after_as_many_attempts_as_the_setting_says(
    double: StandIn, told: Told, scope: Scope, kind: str
) -> None:
    double.fault(ROUTE, kind)
    with pytest.raises(Unavailable, match=r"the topic did not take Signalbox.PersonTold for people/ana@example.org"):
        told.tell()
    assert len(double.requests("POST /api/events")) == scope.attempts


def test_a_topic_that_is_silent_is_given_up_within_the_setting(double: StandIn, scope: Scope) -> None:
    double.fault(ROUTE, "hang")
    told = Told(replace(scope, timeout=0.2, attempts=2))
    with pytest.raises(Unavailable):
        told.tell()
    assert len(told.pauses) == 1


def test_without_a_key_the_app_signs_in_as_itself(double: StandIn, scope: Scope) -> None:
    Told(scope, key="").tell()
    assert len(taken(double)) == 1
    assert [each["route"] for each in double.requests() if "token" in each["route"]] != []


def test_one_token_serves_every_notice(double: StandIn, scope: Scope) -> None:
    told = Told(scope, key="")
    told.tell()
    told.tell("bo@b.org")
    assert len(taken(double)) == 2
    assert len(double.requests(TOKEN)) == 1


def test_a_login_host_that_is_silent_is_given_up_within_the_setting(double: StandIn, scope: Scope) -> None:
    double.fault("POST */oauth2/v2.0/token", "hang")
    told = Told(replace(scope, timeout=0.5), key="")
    with pytest.raises(Unavailable, match=r"a token for the topic: POST .*/token had no answer in 0\.5 s"):
        told.tell()
    assert len(double.requests(TOKEN)) == 1
    assert double.requests("POST /api/events") == []


def test_who_cannot_sign_in_is_told_which_settings_to_see(double: StandIn, scope: Scope) -> None:
    told = Told(replace(scope, secret="of-yesterday"), key="")
    with pytest.raises(Blocked, match=r"AZURE_CLIENT_SECRET are right and the secret has not expired") as blocked:
        told.tell()
    assert "of-yesterday" not in str(blocked.value)
    assert double.requests("POST /api/events") == []


def test_a_role_that_was_given_meanwhile_is_found_by_a_new_token(double: StandIn, scope: Scope) -> None:
    double.fault(ROUTE, "forbidden", times=1)
    told = Told(scope, key="")
    with pytest.raises(Blocked):
        told.tell()
    told.tell()
    assert len(taken(double)) == 1
    assert len(double.requests(TOKEN)) == 2


def wrong_key(double: StandIn, scope: Scope) -> Told:
    return Told(scope, key="of-another-topic")


def no_role(double: StandIn, scope: Scope) -> Told:
    double.fault(ROUTE, "forbidden")
    return Told(scope, key="")


@pytest.mark.parametrize("strange", [wrong_key, no_role])
def test_who_may_not_publish_is_told_which_setting_or_role_to_mend_and_sends_once(
    double: StandIn, scope: Scope, strange: Callable[[StandIn, Scope], Told]
) -> None:
    told = strange(double, scope)
    with pytest.raises(Blocked, match=r"see TOPIC_KEY, or without it give this app the role") as blocked:
        told.tell()
    assert isinstance(blocked.value, SignalboxError)
    assert len(double.requests("POST /api/events")) == 1
    assert KEY not in str(blocked.value)
    assert "of-another-topic" not in str(blocked.value)
