"""Runs timer functions: one run at a time, none twice, missed ones once."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from azure.functions.meta import Datum

from tools.local.files import read_json, write_json
from tools.local.index import Function
from tools.local.invoke import InvocationFailed, Invoker
from tools.local.schedule import Schedule, parse_schedule

log = logging.getLogger("host")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Clock:
    """The time and how to wait for it; tests bring their own."""

    now: Callable[[], datetime]
    sleep: Sleep = asyncio.sleep


def zone_of_host() -> tzinfo:
    """The time zone of timers: WEBSITE_TIME_ZONE, else UTC as on Azure."""
    name = os.environ.get("WEBSITE_TIME_ZONE", "")
    return ZoneInfo(name) if name else UTC


def wall_clock() -> Clock:
    """The clock of this machine."""
    zone = zone_of_host()
    return Clock(lambda: datetime.now(zone))


class Status:
    """When each timer ran last and is due next, kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._timers: dict[str, dict[str, str]] = read_json(path) or {}

    def missed(self, name: str, schedule: Schedule, now: datetime) -> bool:
        """Whether a run was due while no host was up; a changed schedule starts anew."""
        known = self._timers.get(name, {})
        if known.get("schedule") != schedule.text or "next" not in known:
            return False
        return datetime.fromisoformat(known["next"]) < now

    def keep(self, name: str, schedule: Schedule, last: datetime | None, due: datetime) -> None:
        """Remember the last run (if any) and the next due time."""
        before = self._timers.get(name, {}).get("last", "")
        stamp = last.isoformat() if last else before
        self._timers[name] = {"schedule": schedule.text, "last": stamp, "next": due.isoformat()}
        write_json(self._path, self._timers)

    def shown(self, name: str) -> dict[str, str]:
        """The status as a timer function sees it."""
        known = self._timers.get(name, {})
        return {"Last": known.get("last", ""), "Next": known.get("next", "")}


class Timer:
    """One timer function and its schedule."""

    def __init__(self, function: Function, status: Status, clock: Clock) -> None:
        self._function = function
        self._schedule = parse_schedule(str(function.trigger["schedule"]))
        self._status = status
        self._clock = clock

    async def keep_going(self, invoker: Invoker) -> None:
        """Run the function whenever it is due, until cancelled; a failed run does not end the schedule."""
        now = self._clock.now()
        kept = not self._schedule.is_frequent(now)
        if kept and self._status.missed(self._function.name, self._schedule, now):
            await self._run(invoker, past_due=True)
        elif self._function.trigger.get("runOnStartup"):
            await self._run(invoker, past_due=False)
        due = self._schedule.after(self._clock.now())
        last = None
        while True:
            if kept:
                self._status.keep(self._function.name, self._schedule, last, due)
            await self._until(due)
            last = self._clock.now()
            await self._run(invoker, past_due=False)
            # After the later of both: a sleep that ends early must not fire the same time twice.
            due = self._schedule.after(max(due, self._clock.now(), key=datetime.timestamp))

    async def _until(self, due: datetime) -> None:
        # Of times in one zone Python subtracts what the clock shows, not what passes: hence timestamps.
        # Short naps, so that a changed clock or a machine that slept is noticed within a minute.
        while (left := due.timestamp() - self._clock.now().timestamp()) > 0:
            await self._clock.sleep(min(left, 60.0))

    async def _run(self, invoker: Invoker, past_due: bool) -> None:
        try:
            await invoker.run(self._function, request(past_due, self._status.shown(self._function.name)), {})
        except InvocationFailed:
            return  # already logged where it happened


def request(past_due: bool, status: dict[str, Any]) -> Datum:
    """What a timer function gets."""
    return Datum(
        json.dumps({"IsPastDue": past_due, "ScheduleStatus": status, "Schedule": {"AdjustForDST": True}}), "json"
    )
