"""The second half: months of flights arrive one by one, and each retrains the model without a push."""

from collections.abc import Sequence
from pathlib import Path

from tools.demo import place, predict
from tools.demo.place import Place, Trouble
from tools.demo.story import Story
from tools.demo.watch import View

THERE = 3
"""Months that are there before anything is trained: the newest judges the model of the others."""
ARRIVE = 2


def coming(at: Place) -> Sequence[Path]:
    """Return the months that arrive one by one, and one more for whoever goes on."""
    return at.files[THERE : THERE + ARRIVE + 1]


def tell(story: Story) -> tuple[View, View]:
    """Push once, then let months arrive; return what went live first, and what is live at the end."""
    at = story.at
    there = at.files[:THERE]
    rows = sum(predict.rows_in(file) or 0 for file in there)
    story.say(
        f"\nNew data retrain, with no push: {at.project}, {rows:,} flights in {', '.join(f.name for f in there)}."
    )
    story.say(
        "Each month that arrives judges a model that knows all the months before it against the one that is live."
    )
    story.bring_data(there)
    message = place.git("log", "-1", "--format=%s", at=at.working)
    first = live = story.to_production(story.release(place.head(at.working), message))
    for file in coming(at)[:ARRIVE]:
        ended = month(story, file)
        live = ended if ended["state"] == "live" else live
    story.say(f"\n  One flight through {at.project} v{live['version']}:\n")
    story.say(story.prediction(live))
    return first, live


def month(story: Story, file: Path) -> View:
    """Let a month arrive and follow what it opened: better goes into production when approved, else it is kept."""
    view = story.through(story.arrival(file))
    if view["state"] not in ("live", "kept"):
        story.watch().explain(view)
        raise Trouble(f"{file.name} should have been learnt from or kept; its release is {view['state']}.")
    if view["state"] == "kept":
        story.say(f"\n  {view['advice']}")
    return view
