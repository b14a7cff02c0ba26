"""1,000 blobs within a minute: every one is in the data of the last training, and there are at most two."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from shared.release import facts
from tools.demo.watch import View
from tools.local.publisher import Publisher
from tools.prove import stores
from tools.prove.flood import Asking, flood, statuses, times
from tools.prove.ground import Ground, asks

BLOBS = 1000
AGAIN = 10
OURS = "/storm-"
MINUTE = 60.0
PATIENCE = 900.0
"""Seconds until nothing is wanted any more: a cool-down of five minutes and a training among them."""


def prove(ground: Ground, waves: int) -> None:
    """Bring the blobs, tell of every tenth twice, and wait until all of it is trained.

    With two waves the second comes while the first is in training: it is one pending request, and waits its turn.
    """
    telling, before = ground.telling, {view["release"] for view in ground.releases()}
    rows = _rows(ground)
    names = list(rows)
    first = names[: len(names) // 10 * 4] if waves > 1 else names
    began = time.monotonic()
    _send(ground, {name: rows[name] for name in first})
    if waves > 1:
        ground.wait("a training of the first wave", lambda: len(ground.releases()) > len(before), MINUTE)
        telling.say(f"it is in training after {time.monotonic() - began:.1f} s; now the others come")
        _send(ground, {name: rows[name] for name in names if name not in first})
    sent = time.monotonic() - began
    telling.claim("all of it was sent within a minute", sent < MINUTE, f"{len(rows)} blobs in {sent:.1f} s")
    _again(ground)
    ground.wait("the app to hear of every blob", lambda: set(rows) <= _arrived(ground), 2 * MINUTE)
    telling.say(f"the last of them was recorded {time.monotonic() - began:.1f} s after the first was sent")
    _trained(ground, before, set(rows))
    _recorded(ground, set(rows))


def _send(ground: Ground, rows: dict[str, bytes]) -> None:
    """Bring three of ten by PUT and the others as files, and wait until the topic was told of all."""
    began, names = time.monotonic(), list(rows)
    by_put = names[: len(names) // 10 * 3]
    with ThreadPoolExecutor(1) as beside:
        placed = beside.submit(_place, ground, {name: rows[name] for name in names if name not in by_put})
        put = flood([_put(ground, name, rows[name]) for name in by_put], 16)
        placed.result()
    ground.wait("BlobCreated of every blob", lambda: set(rows) <= _told(ground), MINUTE)
    said = f"{len(rows) - len(by_put)} blobs as files, {len(by_put)} by PUT ({times(put)})"
    ground.telling.say(f"{said}, told to the topic after {time.monotonic() - began:.1f} s")
    ground.telling.equal("PUT, by status", statuses(put), {201: len(by_put)})


def _rows(ground: Ground) -> dict[str, bytes]:
    """Return small files by name: one row of the data each, with another target, so that no two are the same."""
    head, *lines = ground.at.files[0].read_text().splitlines()
    found: dict[str, bytes] = {}
    for number in range(BLOBS):
        fields = lines[number % len(lines)].split(",")
        fields[-1] = f"{float(fields[-1]) + number / BLOBS:.3f}"
        found[f"storm-{number:04}.csv"] = f"{head}\n{','.join(fields)}\n".encode()
    return found


def _put(ground: Ground, name: str, content: bytes) -> Asking:
    url = f"{ground.running.grid_url}/data/{quote(ground.project)}/{quote(name)}"
    return Asking(url, content, {"x-functions-key": ground.running.keys.function}, "PUT")


def _place(ground: Ground, files: dict[str, bytes]) -> None:
    """Write files into the data folder, as a copy by hand does: under another name until each is whole."""
    folder = ground.state / "data" / ground.project
    for name, content in files.items():
        draft = folder / f"{name}.part"
        draft.write_bytes(content)
        draft.rename(folder / name)


def _again(ground: Ground) -> None:
    """Publish every tenth event once more, as it was: at least once means that an event may come twice."""
    stack = ground.running
    publish = Publisher(f"{stack.grid_url}/topics/signalbox/api/events", stack.keys.topic)
    known = [event for event in stores.events(ground.state) if "/blobs/storm-" in event["subject"]]
    publish([{name: event[name] for name in FIELDS} for event in known[::AGAIN]])
    ground.telling.say(f"{len(known[::AGAIN])} of the events were published a second time")


FIELDS = ("id", "topic", "subject", "eventType", "eventTime", "dataVersion", "data")


def _told(ground: Ground) -> set[str]:
    return {event["subject"].rpartition("/blobs/")[2] for event in stores.events(ground.state)}


def _arrived(ground: Ground) -> set[str]:
    known = stores.ledger(ground.state)[f"project/{ground.project}"].facts
    return {fact.name for fact in known if isinstance(fact, facts.DataArrived)}


def _trained(ground: Ground, before: set[str], names: set[str]) -> None:
    """Wait until all that was wanted is answered, and count the trainings it took."""

    def over() -> list[View] | None:
        new = [view for view in ground.releases() if view["release"] not in before]
        done = all(view["state"] != "open" or asks(ground.view(view["release"])) for view in new)
        return new if new and done and names <= _seen_by(ground, str(new[0]["release"])) else None

    new = ground.wait("a training with every blob", over, PATIENCE)
    told = ", ".join(f"{view['alias']} #{view['number']} {view['state']}" for view in new)
    trained = [
        view["release"] for view in new if f"{view['release']}-train-1" in stores.runs(ground.state, view["release"])
    ]
    ground.telling.claim("at most two trainings", 1 <= len(trained) <= 2, f"{len(trained)}: {told}")
    seen = len(names & _seen_by(ground, str(new[0]["release"])))
    ground.telling.equal("blobs in the data of the last one", seen, BLOBS)


def _seen_by(ground: Ground, release: str) -> set[str]:
    opened = (fact for fact in stores.facts_of(ground.state, release) if isinstance(fact, facts.ReleaseOpened))
    return {blob.name for one in opened for blob in one.blobs}


def _recorded(ground: Ground, names: set[str]) -> None:
    """Claim that each blob is recorded once, as an arrival and as a wish, and each repeat as a repeat."""
    known = stores.ledger(ground.state)[f"project/{ground.project}"].facts
    arrived = Counter(fact.name for fact in known if isinstance(fact, facts.DataArrived) and fact.name in names)
    ground.telling.equal("blobs with one arrival each", Counter(arrived.values()), {1: BLOBS})
    wanted = Counter(fact.subject for fact in known if isinstance(fact, facts.TrainingWanted) and OURS in fact.subject)
    ground.telling.equal("blobs with one wish for a training each", Counter(wanted.values()), {1: BLOBS})
    came = [fact for fact in known if isinstance(fact, facts.CameIn) and OURS in fact.subject]
    became = Counter(fact.became for fact in came)
    ground.telling.claim("every repeat has its row", became["duplicate"] >= BLOBS // AGAIN, dict(became))
    for fact in known:
        if isinstance(fact, facts.Governed):
            ground.telling.say(f"the governor: {fact.decision}, {fact.reason}")
