"""Scheduling: the schedules of projects come due; each due time is one ask, however often the clock looks."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from shared.ports import Outside
from shared.release import facts, ncrontab, project
from shared.streams import Streams, project_stream


class Scheduling(Struct, frozen=True):
    """Turns the time into what is wanted; missed due times are one."""

    outside: Outside
    streams: Streams

    async def come_due(self, name: str) -> None:
        """Record that a training is wanted when the schedule of a project came due since it was looked at last."""
        schedule = self.outside.projects[name].schedule
        if not schedule:
            return
        known, now = await self.streams.project(name), self.outside.clock()
        ahead = known.schedule is not None and known.schedule.since > now.timestamp()
        if known.schedule is None or known.schedule.schedule != schedule or ahead:
            # What came due before anybody had set it was never asked for; what will be set in a year never was.
            since = facts.ScheduleSet(schedule, int(now.timestamp()))
            await self.streams.add(project_stream(name), [since])
            return
        wanted = _wanted(known, schedule, last_due(schedule, now))
        if wanted is not None:
            await self.streams.add(project_stream(name), [wanted])


def _wanted(known: project.ProjectState, schedule: str, due: datetime | None) -> facts.TrainingWanted | None:
    if due is None or known.schedule is None:
        return None
    key = f"schedule {due.isoformat(timespec='seconds')}"
    if due.timestamp() <= known.schedule.since or key in known.keys:
        return None
    reason = f"the schedule {schedule} came due at {due.strftime('%Y-%m-%d %H:%M:%S')} UTC"
    return facts.TrainingWanted(key, "schedule", schedule, reason, int(due.timestamp()), key)


def last_due(schedule: str, now: datetime) -> datetime | None:
    """Return the newest due time of an NCRONTAB that is not after `now`, in UTC; None when it never comes due."""
    # Imported here because nothing but the timer asks.
    from croniter import CroniterError, croniter

    # What comes before is strictly before, and a due time of this very moment counts.
    moment = now.astimezone(UTC) + timedelta(microseconds=1)
    try:
        found: datetime = croniter(
            ncrontab.six_fields(schedule), moment, second_at_beginning=True, day_or=False
        ).get_prev(datetime)
    except CroniterError:
        return None
    return found
