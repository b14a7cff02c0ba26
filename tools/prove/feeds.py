"""feeds: broken months and vanished data of real flights: each has its row and its end, trains nothing, and heals."""

import csv
import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.demo import place
from tools.prove import drifting, stores
from tools.prove.feed import Feed
from tools.prove.ground import Ground
from tools.prove.telling import Telling

WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
Rows = list[dict[str, str]]


def _without(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if name != "visib"} for row in rows]


def _retyped(rows: Rows) -> Rows:
    return [row | ({"temp": "warm"} if at == 16 else {}) for at, row in enumerate(rows)]


def _rotated(rows: Rows) -> Rows:
    turned = [*WEATHER[1:], WEATHER[0]]
    return [row | {name: row[other] for name, other in zip(WEATHER, turned, strict=True)} for row in rows]


@dataclass(frozen=True)
class Broken:
    """What is done to a month, and the words that reason and advice must have."""

    name: str
    broken: Callable[[Rows], Rows]
    says: Sequence[str]
    advises: Sequence[str]


MONTHS = (
    Broken("without a column", _without, ("{file}", 'no column "visib"'), ("Put {file} again",)),
    Broken("with a word among the temperatures", _retyped, ("{file}", '"temp"', '"warm" in row 17'), ("Put {file}",)),
    Broken("with its header only", lambda rows: [], ("{file} has no rows",), ("Put {file} again with its rows",)),
    Broken(
        "with its weather turned by one column",
        _rotated,
        ("breaks the schema", 'column "pressure"', "rows of {file}", "in row 1"),
        ("Put corrected data", "{file}"),
    ),
)


def prove(root: Path, telling: Telling) -> None:
    """A first model, every broken month, data that change and vanish, drift that nobody saw; production stays."""
    ground = Ground(root, "feeds", telling, place.months(full=False))
    try:
        ground.up()
        feed = Feed(ground)
        feed.bring(feed.months[:3])
        first = ground.push(place.head(ground.at.working))["release"]
        telling.say(ground.approve(first))
        live = ground.ended(first, "live")
        for number, wrong in enumerate(MONTHS, start=1):
            _stopped(feed, wrong)
            # The governor stops after three in vain, so a good month comes in between.
            if number % 2 == 0:
                _heals(feed, feed.months[3])
        _empty(feed)
        _changed(feed)
        _vanished(feed)
        drifting.prove(feed)
        feed.unmoved(live)
    finally:
        ground.down()


def _stopped(feed: Feed, wrong: Broken) -> None:
    """Let a broken month arrive: its release ends at check with a reason, and nothing is trained."""
    month, ground, telling = feed.months[3], feed.ground, feed.ground.telling
    telling.say()
    telling.say(f"{month.name} {wrong.name}:")
    with month.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = wrong.broken(list(reader))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else list(reader.fieldnames or ()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    view = ground.ended(feed.opened_by(lambda: feed.put(month.name, text.getvalue()))["release"])
    telling.say(f"reason  {view['reason']}")
    telling.say(f"advice  {view['advice']}")
    told, advice = str(view["reason"]), str(view["advice"])
    missing = [word for word in wrong.says if word.format(file=month.name) not in told]
    missing += [word for word in wrong.advises if word.format(file=month.name) not in advice]
    ended = next((step["step"] for step in view["steps"] if step["state"] == "failed"), "nowhere")
    holds = (view["state"], ended, missing) == ("failed", "check", [])
    telling.claim("it ends at check, saying what, where and what to do", holds, missing or f"failed at {ended}")
    feed.only_checked(view)
    feed.recorded(month.name, "release", f"release #{view['number']}")


def _heals(feed: Feed, month: Path) -> None:
    """Let the month arrive as it should be: by itself it is trained and judged."""
    view = feed.ground.ended(feed.opened_by(lambda: feed.bring([month]))["release"])
    shown = f"#{view['number']} by {view['cause']}: {view['state']}, {view['reason']}"
    feed.ground.telling.claim(f"{month.name} as it should be heals it by itself", view["state"] == "kept", shown)


def _empty(feed: Feed) -> None:
    month, telling = feed.months[3], feed.ground.telling
    telling.say()
    telling.say(f"{month.name} with no bytes at all:")
    before = len(feed.ground.releases())
    feed.put(month.name, "")
    feed.recorded(month.name, "recorded", "an empty blob")
    telling.equal("releases opened", len(feed.ground.releases()) - before, 0)
    _heals(feed, month)


def _changed(feed: Feed) -> None:
    """Replace a month while its release is checked: that release ends, and what is there now has its own."""
    month, ground, telling = feed.months[3], feed.ground, feed.ground.telling
    telling.say()
    telling.say(f"{month.name} replaced between check and training:")
    lines = month.read_text().splitlines(keepends=True)
    first = feed.opened_by(lambda: feed.put(month.name, "".join(lines[:-1])))["release"]
    copied = ground.state / "jobs" / f"{first}-check-1" / "job.json"
    ground.wait("the check to have its copy", copied.exists)
    second = feed.opened_by(lambda: feed.put(month.name, "".join(lines[:-2])))["release"]
    view, after = ground.ended(first), ground.ended(second)
    said = f"{view['state']}: {view['reason']}; {view['advice']}"
    holds = view["state"] == "failed" and f"{month.name} in container {ground.project} has changed" in said
    telling.claim("what was checked is trained or nothing is", holds, said)
    models = stores.runs(ground.state, first).get(f"{first}-train-1", "none")
    telling.equal("its training", models, "failed")
    telling.claim("what is there now has its own release", after["state"] == "kept", f"#{after['number']} kept")
    _heals(feed, month)


def _vanished(feed: Feed) -> None:
    """Take the container away: a release that reads it says so, and putting the files again heals it."""
    ground, telling = feed.ground, feed.ground.telling
    telling.say()
    telling.say(f"the container {ground.project} is gone:")
    shutil.rmtree(ground.state / "data" / ground.project)
    asked = {"project": ground.project, "by": "dee", "reason": "the quarter's report"}
    opened = ground.reach.post("releases", asked, **{"Idempotency-Key": "quarter"})
    view = ground.ended(opened["releases"][0]["release"])
    gone = f"{feed.months[0].name} is no longer in container {ground.project}"
    holds = view["state"] == "failed" and gone in view["reason"]
    telling.claim("it ends at check", holds, f"{view['reason']}; {view['advice']}")
    feed.only_checked(view)
    feed.bring(feed.months[:4])
    state = ground.wait("a release of all four to end", lambda: feed.settled("kept"))
    telling.claim("putting the files again heals it by itself", state["state"] == "kept", f"#{state['number']} kept")
