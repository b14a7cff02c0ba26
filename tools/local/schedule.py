"""NCRONTAB expressions and time spans: when a timer is due."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from croniter import CroniterError, croniter

from shared.release.ncrontab import six_fields
from tools.local.host_json import seconds

_SPAN = re.compile(r"(?:\d+\.)?\d{1,2}:\d{2}(?::\d{2})?")


class BadSchedule(ValueError):
    """A timer expression the host refuses."""


@dataclass(frozen=True)
class Schedule:
    """A parsed timer expression: either `cron` (six fields) or a fixed `every`."""

    text: str
    cron: str = ""
    every: timedelta = timedelta()

    def after(self, moment: datetime) -> datetime:
        """The first due time strictly after `moment`, in the zone of `moment`."""
        if not self.cron:
            return moment + self.every
        found: datetime = croniter(self.cron, moment, second_at_beginning=True, day_or=False).get_next(datetime)
        return found

    def is_frequent(self, moment: datetime) -> bool:
        """Whether it is due more than once a minute; the host keeps no status for such timers."""
        first = self.after(moment)
        return self.after(first) - first < timedelta(minutes=1)


def parse_schedule(text: str) -> Schedule:
    """Read a timer expression: NCRONTAB with 5 or 6 fields, or a TimeSpan; BadSchedule says what is wrong."""
    if _SPAN.fullmatch(text.strip()):
        every = timedelta(seconds=seconds(text.strip()))
        if not every:
            raise BadSchedule(f"The schedule {text!r} has no length.")
        return Schedule(text, every=every)
    try:
        cron = six_fields(text)
    except ValueError as error:
        raise BadSchedule(f"The schedule {text!r}: it {error}.") from error
    try:
        croniter(cron, second_at_beginning=True, day_or=False).get_next(datetime)
    except CroniterError as error:
        raise BadSchedule(f"The schedule {text!r} is never due: {error}.") from error
    return Schedule(text, cron=cron)
