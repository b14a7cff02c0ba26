"""storm: a thousand copies of a push, a thousand blobs, 200 answers at once, and every event twice, newest first."""

import json
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx

from shared.release import facts
from shared.release.config import DataPlace, Governor, read_projects
from tools.demo.place import APPROVER
from tools.demo.watch import View
from tools.prove import arrivals, counts, stores, votes, webhook
from tools.prove.flood import Asking, flood, statuses, times
from tools.prove.ground import Ground, asks
from tools.prove.telling import Telling

COPIES = 1000
IN_FLIGHT = 50
# Event Grid knows by subscription which function an event goes to; here all subscriptions of the line are taken away.
FUNCTIONS = {
    "RunCompleted": "on_run_ended",
    "RunStatusChanged": "on_run_ended",
    "ModelRegistered": "on_model_registered",
    "ImagePushed": "on_image_pushed",
    "ModelDeployed": "on_model_deployed",
    "BlobCreated": "on_new_data",
}
LINE = tuple(dict.fromkeys(function for function in FUNCTIONS.values() if function != "on_new_data"))


def prove(root: Path, telling: Telling, waves: int = 2) -> None:
    """Storm two stacks: one of which only repeated, reversed events drive, and one with everything on."""
    _repeats(root, telling)
    telling.say()
    _people_and_data(root, telling, waves)


def _repeats(root: Path, telling: Telling) -> None:
    """Bring one release, stormed by its push, to production by nothing but repeated, reversed events."""
    ground = Ground(root, "storm", telling)
    try:
        telling.say(f"stack up with --no-patrol and without {', '.join(LINE)}")
        ground.up(without=LINE, patrol=False)
        ground.bring_data()
        release = _pushes(ground)
        _events(ground, release)
        telling.say("counted in the backends' own stores:")
        counts.once(ground, release)
        told = stores.ends_of_runs(ground.state, release)
        telling.claim("each run ended once for the topic", set(told.values()) == {1}, f"{len(told)} runs")
        counts.chained(ground)
        _afterwards(ground, release)
    finally:
        ground.down()


def _people_and_data(root: Path, telling: Telling, waves: int) -> None:
    """Let four approvers contradict each other, and then data arrive, on a stack with everything on."""
    ground = Ground(root, "storm-2", telling)
    _as_by_default(ground)
    try:
        telling.say("a stack with everything on, its governor as it is by default")
        ground.up()
        ground.bring_data()
        release = str(ground.push(ground.alpha(0.3))["release"])
        votes.prove(ground, release)
        arrivals.prove(ground, waves)
        counts.chained(ground)
    finally:
        ground.down()


def _as_by_default(ground: Ground) -> None:
    """Take away what spares who watches a demo its waits, and name four approvers."""
    operator = ground.at.projects_file
    text = (
        operator.read_text().replace(f'["{APPROVER}"]', json.dumps(votes.APPROVERS)).replace(", quiet_seconds = 0", "")
    )
    operator.write_text(re.sub("^governor = .*$", "", text, flags=re.M))
    entry = read_projects(operator.read_text()).projects[ground.project]
    kept = (entry.governor, entry.data and entry.data.quiet_seconds)
    ground.telling.equal(
        "the governor and the quiet time are the default", kept, (Governor(), DataPlace("x").quiet_seconds)
    )


# --- the same push, a thousand times


def _pushes(ground: Ground) -> str:
    commit = ground.alpha(0.3)
    body, headers = webhook.signed(ground.running, webhook.pushed_quietly(ground, commit))
    began = time.monotonic()
    told = flood([Asking(f"{ground.running.host_url}/api/push", body, headers)] * COPIES, IN_FLIGHT)
    seconds = time.monotonic() - began
    named = Counter(one["release"] for answer in told if answer.status < 300 for one in answer.document["releases"])
    ground.telling.say(f"the same signed push of {commit[:7]}, {COPIES} copies, {IN_FLIGHT} in flight: {times(told)}")
    ground.telling.claim("all of them within a minute", seconds < 60.0, f"{seconds:.1f} s")
    ground.telling.equal("answers by status", statuses(told), {202: COPIES})
    ground.telling.claim("all name the same release", list(named.values()) == [COPIES], dict(named))
    ground.telling.equal("releases that exist", len(ground.releases()), 1)
    (release,) = named
    streams = stores.ledger(ground.state)
    numbered = [one for one in streams[f"project/{ground.project}"].facts if isinstance(one, facts.ReleaseNumbered)]
    opened = [one for one in streams[f"release/{release}"].facts if isinstance(one, facts.ReleaseOpened)]
    ground.telling.equal("numbers given, releases opened", (len(numbered), len(opened)), (1, 1))
    return str(release)


# --- every event twice, newest first


def _events(ground: Ground, release: str) -> None:
    """Whenever nothing moves any more, deliver all that was ever heard, each twice, newest first."""
    delivered, view = 0, ground.view(release)
    while view["state"] == "open":
        view = ground.at_rest(release)
        if view["state"] != "open":
            break
        if asks(view):
            ground.telling.say(ground.approve(release))
        else:
            known = stores.events(ground.state)
            statuses = deliver(ground, known)
            delivered += sum(statuses.values())
            say = f"{len(known)} events, each twice at once, newest first: answered {dict(statuses)}"
            ground.telling.say(f"{view['standing']}: {say}")
        view = ground.wait(f"{view['waits_for']} to be over", partial(_moved, ground, release, view), 60.0)
    ground.telling.claim("the same end", view["state"] == "live", f"{view['state']} at {view['address']}")
    ground.telling.say(f"{len(stores.events(ground.state))} events became {delivered} deliveries")


def _moved(ground: Ground, release: str, before: View) -> View | None:
    """Return the release once it waits for something else or has ended."""
    view = ground.view(release)
    return view if view["waits_for"] != before["waits_for"] else None


def deliver(ground: Ground, events: list[stores.Event]) -> Counter[int]:
    """Deliver events as Event Grid does, each twice at the same time, newest first; return the answers by status."""
    statuses: Counter[int] = Counter()
    headers = {"aeg-event-type": "Notification", "x-functions-key": ground.running.keys.system}
    url = f"{ground.running.host_url}/runtime/webhooks/EventGrid"
    with httpx.Client(timeout=60, trust_env=False, headers=headers) as client, ThreadPoolExecutor(2) as both:
        for event in reversed(events):
            address = f"{url}?functionName={FUNCTIONS[event['eventType'].rpartition('.')[2]]}"
            send = partial(client.post, address, json=[event])
            statuses.update(one.result().status_code for one in [both.submit(send), both.submit(send)])
    return statuses


def _afterwards(ground: Ground, release: str) -> None:
    """Deliver everything twice once more: an ended release must not change by a byte."""
    before = stores.facts_of(ground.state, release)
    statuses = deliver(ground, stores.events(ground.state))
    ground.wait("rest", lambda: not stores.busy(ground.state))
    same = stores.facts_of(ground.state, release) == before
    one = len(ground.releases()) == 1 and ground.view(release)["state"] == "live"
    ground.telling.claim("all of it twice again changes nothing", same and one, f"answered {dict(statuses)}")
