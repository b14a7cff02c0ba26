"""Reminding: who has not decided is told again, at half of the time and a day before its end, once each."""

import logging
from typing import Literal

from msgspec import Struct

from shared import words
from shared.control import judging
from shared.errors import SignalboxError
from shared.ports import Outside
from shared.release import facts, line, state
from shared.steps import ask
from shared.streams import Streams, release_stream

log = logging.getLogger("signalbox")
DAY = 86400


class Reminding(Struct, frozen=True):
    """Tells first and records then; the name of a notice keeps a repeat from being told."""

    outside: Outside
    streams: Streams

    async def look(self, known: state.State) -> None:
        """Remind those whose decision is missing, when it is time to."""
        asked = known.asked.get(known.round)
        if asked is None or line.standing(known) != "ask" or known.round in known.glass:
            return
        due = reminder(asked, self.outside.clock().timestamp())
        if due is None or (known.round, due) in known.reminded:
            return
        release = known.release.release
        missing = (await judging.bench(self.outside, self.streams, known, asked)).verdict(known, asked).missing
        name, told = f"{release}-reminder-{known.round}-{due}", True
        for who in missing:
            letter = words.reminding(ask.letter(self.outside, known, asked, who))
            told = await reached(self.outside, name, who, letter) and told
        if told:
            await self.streams.add(release_stream(release), [facts.Reminded(known.round, due, missing)])


async def reached(outside: Outside, name: str, who: str, letter: tuple[str, str]) -> bool:
    """Tell one person; where that cannot be done now, say so, and keep nobody else from being told."""
    try:
        await outside.notifier.notify(name, who, *letter)
    except SignalboxError as error:
        log.warning("notice=%r to=%r cannot be told: error=%r", name, who, error)
        return False
    return True


def reminder(asked: facts.Asked, now: float) -> Literal["half", "last"] | None:
    """Return which reminder is due; a question of two days or less has only the one at half of its time."""
    half, last = (asked.at + asked.expires) / 2, asked.expires - DAY
    if not asked.at or now >= asked.expires or now < half:
        return None
    return "last" if last > half and now >= last else "half"
