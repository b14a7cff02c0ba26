"""Timers: when they are due, and that they run once each time."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import azure.functions as func
import pytest

from tools.local.index import Function, index
from tools.local.invoke import Invoker
from tools.local.schedule import BadSchedule, parse_schedule
from tools.local.timers import Clock, Status, Timer

MONDAY = datetime(2026, 11, 23, 14, 45, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("0 */5 * * * *", "2026-11-23T14:50:00"),
        ("*/5 * * * *", "2026-11-23T14:50:00"),
        ("*/10 * * * * *", "2026-11-23T14:45:40"),
        ("30 45 14 * * *", "2026-11-24T14:45:30"),
        ("0 0 9-17 * * 1-5", "2026-11-23T15:00:00"),
        ("0 30 9 * Jan Mon", "2027-01-04T09:30:00"),
        ("0 30 9 * january monday", "2027-01-04T09:30:00"),
        ("0 0 0 13 * 5", "2027-08-13T00:00:00"),
        ("0 0 0 * * 0", "2026-11-29T00:00:00"),
        ("5,8,10 * * * * *", "2026-11-23T14:46:05"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("00:05:00", "2026-11-23T14:50:30"),
        ("1.00:00:00", "2026-11-24T14:45:30"),
    ],
)
def test_a_schedule_is_next_due(text: str, due: str) -> None:
    assert parse_schedule(text).after(MONDAY) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "* * * *", "* * * * * * *", "@hourly", "0 0 0 L * *", "0 0 0 ? * *", "0 0 0 * * 7", "0 0 0 * * 5#2",
        "0 60 * * * *", "0 */0 * * * *", "0 0 0 30 2 *", "every minute or so !", "00:00:00", "R R * * * *",
    ],
)  # fmt: skip
def test_an_expression_that_the_host_does_not_take_is_refused(text: str) -> None:
    with pytest.raises(BadSchedule):
        parse_schedule(text)


def test_a_day_keeps_its_hour_when_the_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 24, 12, 0, tzinfo=berlin)
    due = parse_schedule("0 0 9 * * *").after(before)
    assert due == datetime(2026, 10, 25, 9, 0, tzinfo=berlin)
    assert due.timestamp() - before.timestamp() == 22 * 3600


class Story:
    """A clock that only moves when somebody waits, and a timer function that keeps when it ran."""

    def __init__(self, schedule: str, startup: bool = False, fails: bool = False, set_back: float = 0) -> None:
        self.now = self.end = MONDAY
        self.ran: list[tuple[str, bool]] = []
        app = func.FunctionApp()

        @app.timer_trigger(arg_name="timer", schedule=schedule, run_on_startup=startup)
        async def tick(timer: func.TimerRequest) -> None:
            self.ran.append((f"{self.now:%H:%M:%S}", timer.past_due))
            self.now -= timedelta(seconds=set_back)
            if fails:
                raise RuntimeError("this run failed")

        self.function: Function = index(app.get_functions())[0]

    async def sleep(self, seconds: float) -> None:
        # Real sleeps may end a little early; this one does so each second time it is asked for a short nap.
        self.now += timedelta(seconds=seconds * 0.9 if seconds > 1 else max(seconds, 0.001))
        if self.now > self.end:
            raise asyncio.CancelledError

    def play(self, path: Path, begin: datetime = MONDAY) -> Sequence[tuple[str, bool]]:
        self.now, self.end = begin, begin + timedelta(minutes=12)
        timer = Timer(self.function, Status(path), Clock(lambda: self.now, self.sleep))

        async def go() -> None:
            async def nothing(_: Sequence[tuple[str, str]]) -> None:
                return

            await timer.keep_going(Invoker(nothing, None, print))

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(go())
        return self.ran


def test_a_timer_runs_once_at_each_due_time(tmp_path: Path) -> None:
    assert Story("0 */5 * * * *").play(tmp_path / "timers.json") == [("14:50:00", False), ("14:55:00", False)]


def test_a_clock_that_is_set_back_does_not_fire_the_same_time_twice(tmp_path: Path) -> None:
    ran = Story("0 */5 * * * *", set_back=3).play(tmp_path / "timers.json")
    assert ran == [("14:50:00", False), ("14:55:00", False)]


def test_a_run_that_fails_does_not_end_the_schedule(tmp_path: Path) -> None:
    assert len(Story("0 */5 * * * *", fails=True).play(tmp_path / "timers.json")) == 2


def test_a_timer_may_run_at_the_start(tmp_path: Path) -> None:
    ran = Story("0 */10 * * * *", startup=True).play(tmp_path / "timers.json")
    assert ran == [("14:45:30", False), ("14:50:00", False)]


def test_missed_runs_become_one_run_that_is_past_due(tmp_path: Path) -> None:
    story = Story("0 */5 * * * *")
    story.play(tmp_path / "timers.json", MONDAY - timedelta(days=2))
    assert json.loads((tmp_path / "timers.json").read_text())["tick"]["next"] == "2026-11-21T15:00:00+00:00"
    story.ran.clear()
    assert story.play(tmp_path / "timers.json") == [("14:45:30", True), ("14:50:00", False), ("14:55:00", False)]


def test_a_changed_schedule_starts_anew(tmp_path: Path) -> None:
    kept = {"tick": {"schedule": "0 0 * * * *", "last": "", "next": (MONDAY - timedelta(days=2)).isoformat()}}
    (tmp_path / "timers.json").write_text(json.dumps(kept))
    assert Story("0 */5 * * * *").play(tmp_path / "timers.json")[0] == ("14:50:00", False)


def test_no_status_is_kept_for_a_timer_that_is_due_more_than_once_a_minute(tmp_path: Path) -> None:
    Story("*/30 * * * * *").play(tmp_path / "timers.json")
    assert not (tmp_path / "timers.json").exists()
