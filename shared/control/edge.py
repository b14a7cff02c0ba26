"""The edge: errors become answers here and nowhere else, and are logged once, as keys and values."""

import asyncio
import logging
from collections.abc import Awaitable

from shared.answers import Answer
from shared.errors import Misconfigured, SignalboxError, Unavailable

log = logging.getLogger("signalbox")


async def within(seconds: float, work: Awaitable[Answer]) -> Answer:
    """Return what the work answers, or raise `Unavailable` when it takes longer than whoever asked will wait.

    Work that is cut is like work whose process died there: what it recorded stands, and the rest comes again.
    """
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            return await work
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise Unavailable(f"there was no answer within {seconds:g} s, so this comes again or is sent again") from error


async def answered(work: Awaitable[Answer], *, keyed: bool = False, **keys: str) -> Answer:
    """Return what the work answers, or the answer its error becomes; `keyed` where the host let in no stranger."""
    try:
        return await work
    except SignalboxError as error:
        level = logging.WARNING if isinstance(error, Unavailable | Misconfigured) else logging.INFO
        _log(level, error, keys)
        said = error.shown if isinstance(error, Misconfigured) and not keyed else str(error)
        return Answer(error.status, {"error": said})
    except Exception as error:
        _log(logging.ERROR, error, keys)
        return Answer(
            500, {"error": "something broke on our side; it is logged, and the same request may be sent again"}
        )


def _log(level: int, error: Exception, keys: dict[str, str]) -> None:
    said = " ".join(f"{key}={value!r}" for key, value in keys.items())
    log.log(level, "%s error=%r", said, error, exc_info=error if level == logging.ERROR else None)
