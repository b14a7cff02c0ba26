"""Drift that nobody saw, that is about nobody's project, and a thousand times at once: what each came to."""

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from shared.release import facts
from tools.prove import stores
from tools.prove.feed import Feed

MANY = 1000
AT_ONCE = 32
MOST_TRAININGS = 2
Event = dict[str, Any]


def prove(feed: Feed) -> None:
    """Forge drift without the key, about an unknown project, and about this one a thousand times at once."""
    ground, telling = feed.ground, feed.ground.telling
    known, before = ground.project, len(ground.releases())
    telling.say()
    telling.say("drift:")
    for name, key in (("no key", ""), ("another key", "x" * 32)):
        statuses = _sent(feed, [drift(known, 1)], key)
        telling.claim(f"forged with {name}", dict(statuses) == {401: 1}, dict(statuses))
    shapeless = drift(known, 1) | {"data": []}
    telling.claim("an event of another shape is taken, never to come again", *_answered(feed, [shapeless], {202: 1}))
    said = next((row["reason"] for row in _all_rows(feed) if shapeless["id"] in row["reason"]), "")
    telling.claim("and recorded with its reason", bool(said), said)
    strange = [drift("nobodys-model", number) for number in range(MANY)]
    began = time.monotonic()
    telling.claim(f"{MANY} about an unknown project, {AT_ONCE} at once", *_answered(feed, strange, {202: MANY}))
    telling.say(f"answered in {time.monotonic() - began:.1f} s")
    rows = [row for row in _all_rows(feed) if row["subject"] == "nobodys-model"]
    refused = Counter((row["became"], row["reason"]) for row in rows)
    telling.claim("each is recorded with its reason", list(refused.values()) == [MANY], _told(refused))
    telling.equal("releases opened by all that", len(ground.releases()) - before, 0)
    _about_this_one(feed)


def _about_this_one(feed: Feed) -> None:
    """A thousand windows of real drift at once: all recorded, and trained for as one."""
    ground, telling = feed.ground, feed.ground.telling
    before = {view["release"] for view in ground.releases()}
    began = time.monotonic()
    drifted = [drift(ground.project, number) for number in range(MANY)]
    telling.claim(f"{MANY} windows of {ground.project}, {AT_ONCE} at once", *_answered(feed, drifted, {202: MANY}))
    telling.say(f"answered in {time.monotonic() - began:.1f} s")
    newest = ground.wait("the releases of drift to end", lambda: _rested(feed, before))
    opened = [view for view in ground.releases() if view["release"] not in before]
    trained = [view for view in opened if f"{view['release']}-train-1" in stores.runs(ground.state, view["release"])]
    shown = ", ".join(f"#{view['number']} {view['state']} ({view['cause']})" for view in reversed(opened))
    telling.claim("trainings they led to", 1 <= len(trained) <= MOST_TRAININGS, f"{len(trained)}: {shown}")
    stream = stores.ledger(ground.state)[f"project/{ground.project}"].facts
    wanted = {fact.key for fact in stream if isinstance(fact, facts.TrainingWanted) and fact.cause == "drift"}
    telling.equal("windows that are recorded, each with its reason", len(wanted), MANY)
    unchanged = newest["state"] in ("kept", "unchanged")
    telling.claim("the same data and code make no better model", unchanged, newest["reason"])


def _rested(feed: Feed, before: set[str]) -> dict[str, Any] | None:
    """Return the newest release once there is a new one, none is open, and nothing waits for its turn."""
    views = feed.ground.releases()
    if any(view["state"] == "open" for view in views) or views[0]["release"] in before:
        return None
    there = feed.ground.reach.get("environments")["environments"]
    return views[0] if not any(one["pending"] for one in there) else None


def drift(monitor: str, window: int) -> Event:
    """Return a DatasetDriftDetected as Azure ML wrote it, about a window of its own."""
    start = datetime(2013, 1, 1, tzinfo=UTC) + timedelta(hours=window)
    data = {
        "DataDriftId": "4e694bf5-712e-4e40-b06a-d2a2755212d4",
        "DataDriftName": monitor,
        "RunId": f"{monitor}_{window}",
        "BaseDatasetId": "3c56d136-0f64-4657-a0e8-5162089a88a3",
        "TargetDatasetId": "d7e74d2e-c972-4266-b5fb-6c9c182d2a74",
        "DriftCoefficient": 0.83,
        "StartTime": start.isoformat(),
        "EndTime": (start + timedelta(hours=1)).isoformat(),
    }
    return {
        "topic": "/subscriptions/1/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/models",
        "subject": f"datadrifts/{monitor}/runs/{monitor}_{window}",
        "eventType": "Microsoft.MachineLearningServices.DatasetDriftDetected",
        "eventTime": datetime.now(UTC).isoformat(),
        "id": str(uuid.uuid4()),
        "data": data,
        "dataVersion": "2",
        "metadataVersion": "1",
    }


def _answered(feed: Feed, events: Sequence[Event], wanted: dict[int, int]) -> tuple[bool, dict[int, int]]:
    statuses = dict(_sent(feed, events, feed.ground.running.keys.system))
    return statuses == wanted, statuses


def _sent(feed: Feed, events: Sequence[Event], key: str) -> Counter[int]:
    """Deliver events as Event Grid does, each by itself and many at once; return the answers by status."""
    url = f"{feed.ground.running.host_url}/runtime/webhooks/EventGrid?functionName=on_data_drift"
    headers = {"aeg-event-type": "Notification"} | ({"x-functions-key": key} if key else {})
    with httpx.Client(timeout=120, trust_env=False, headers=headers) as client, ThreadPoolExecutor(AT_ONCE) as many:
        answers = many.map(lambda event: client.post(url, json=[event]), events)
        return Counter(answer.status_code for answer in answers)


def _all_rows(feed: Feed) -> list[dict[str, Any]]:
    return list(feed.ground.reach.get("events", limit=str(5 * MANY))["events"])


def _told(rows: Counter[tuple[str, str]]) -> str:
    return "; ".join(f"{count} {became}: {reason}" for (became, reason), count in rows.items())
