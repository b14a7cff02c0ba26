"""The governor: whether what data, drift and schedules want is worth a training now, and why not.

It looks at nothing but what is recorded, the operator's rules and the time, and answers with one thing:
a training for all that is wanted, or a row that says why it waits or where it is already.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from shared.release import facts
from shared.release.config import Project
from shared.release.facts import Cause, Governed, ReleaseNumbered, TrainingWanted
from shared.release.project import AUTOMATIC, NEVER_TRAINED, ProjectState

LONGEST_QUIET = 60
"""A place where data never stop arriving is trained after so many quiet times."""
HOUR, DAY = 3600, 86_400


class Start(Struct, frozen=True):
    """Train this commit now, for this cause; `ask` is empty for data."""

    commit: str
    cause: Cause
    ask: str
    reason: str


def choose(known: ProjectState, rules: Project, now: int) -> Start | Governed | None:
    """Return what becomes of all that is wanted of a project; None when nothing is. `now` in seconds since 1970."""
    wanted = list(known.wanted.values())
    if not wanted:
        return None
    if not known.commit:
        return Governed("waits", "commit", "no commit has come in yet, so it waits for a push")
    start = _start(known, wanted)
    if isinstance(start, Governed):
        return start
    return (
        _quiet(wanted, rules, now)
        or _running(known, rules)
        or _broken(known, rules)
        or _cooling(known, rules, now)
        or _spent(known, rules, now)
        or start
    )


def _automatic(known: ProjectState) -> list[ReleaseNumbered]:
    """Return the releases that nobody stands behind, oldest first."""
    return [numbered for numbered in known.numbered.values() if numbered.cause in AUTOMATIC]


def _start(known: ProjectState, wanted: Sequence[TrainingWanted]) -> Start | Governed:
    """Answer all of it with one training: new data come first, because they are something new to learn from."""
    now = (known.commit, known.data_version)
    trained = next((old for old in known.trainings if (old.commit, old.data) == now), None)
    data = [each for each in wanted if each.cause == "data"]
    asked = [each for each in wanted if each.cause != "data"]
    if data and trained is None:
        return Start(known.commit, "data", "", _reason(data, asked))
    if asked:
        return Start(known.commit, asked[-1].cause, asked[-1].ask, _reason([], asked))
    assert trained is not None
    reason = f"these data and this commit are in release #{trained.number} already"
    return Governed("merged", "trained", reason, trained.release)


def _reason(data: Sequence[TrainingWanted], asked: Sequence[TrainingWanted]) -> str:
    said = [data[0].reason] if len(data) == 1 else []
    if len(data) > 1:
        said = [f"{len(data)} blobs arrived, the last is {data[-1].subject}"]
    if asked:
        more = f" (and {len(asked) - 1} more)" if len(asked) > 1 else ""
        said.append(f"{asked[-1].reason}{more}")
    return "; ".join(said)


def _quiet(wanted: Sequence[TrainingWanted], rules: Project, now: int) -> Governed | None:
    """Wait while data go on arriving: many blobs are one training."""
    arrived = [each.at for each in wanted if each.cause == "data"]
    if not arrived or rules.data is None or rules.data.manifest:
        return None
    quiet = rules.data.quiet_seconds
    until = int(min(max(arrived) + quiet, min(arrived) + LONGEST_QUIET * quiet))
    return _until(now, until, quiet, "quiet", f"data go on arriving; it waits for {quiet:g} s of quiet")


def _running(known: ProjectState, rules: Project) -> Governed | None:
    running = known.running
    gives_way = rules.on_newer == "cancel" and all(numbered.cause in AUTOMATIC for numbered in running)
    if not running or gives_way:
        return None
    does = "in training" if running[0].version is None else "being judged"
    return Governed("waits", "running", f"it waits for release #{running[0].number}, which is {does}")


def _broken(known: ProjectState, rules: Project) -> Governed | None:
    """Break a loop: retrainings that fail, or train again what was trained already, stop by themselves."""
    limit = rules.governor.breaker
    if _in_vain(known, limit) < limit:
        return None
    reason = f"the last {limit} retrainings failed or learnt nothing new, so it waits for a push or a person"
    return Governed("waits", "breaker", reason)


def _in_vain(known: ProjectState, limit: int) -> int:
    """Count the newest retrainings in a row that were in vain, up to the limit."""
    # A push for other projects of the repository is no reason to try again, nor is what others registered.
    news = [each for each in known.trainings if known.closed.get(each.release) not in NEVER_TRAINED]
    count = 0
    for at in range(len(news) - 1, -1, -1):
        newest = news[at]
        if newest.cause not in AUTOMATIC or count == limit:
            break
        how = known.closed.get(newest.release)
        again = any((old.commit, old.data) == (newest.commit, newest.data) for old in news[:at])
        if how == "live" or not (how == "failed" or again):
            break
        count += 1
    return count


def _cooling(known: ProjectState, rules: Project, now: int) -> Governed | None:
    before = _automatic(known)
    if not before:
        return None
    minutes = rules.governor.cooldown_minutes
    until = int(before[-1].at + minutes * 60)
    return _until(now, until, minutes * 60, "cooldown", f"a retraining began less than {minutes:g} minutes ago")


def _spent(known: ProjectState, rules: Project, now: int) -> Governed | None:
    """Keep to the operator's number of retrainings an hour and a day."""
    began = [numbered.at for numbered in _automatic(known)]
    limits = rules.governor
    return _full(began, now, HOUR, limits.per_hour, "hourly") or _full(began, now, DAY, limits.per_day, "daily")


def _full(began: Sequence[int], now: int, window: int, most: int, why: facts.GovernedWhy) -> Governed | None:
    within = [at for at in began if now - window < at <= now + window]
    if len(within) < most:
        return None
    period = "an hour" if window == HOUR else "a day"
    reason = f"{most} retrainings began within {period}, which is the most"
    return _until(now, within[-most] + window, window, why, reason)


def _until(now: int, until: int, rule: float, why: facts.GovernedWhy, reason: str) -> Governed | None:
    """Wait until then; `rule` in seconds is what the operator wants waited from something that was before now."""
    # A clock that was ahead when that was recorded must not stop every training for as long as it was.
    if now >= until or until - now > 2 * rule:
        return None
    time = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Governed("waits", why, f"{reason}; it is looked at again at {time} UTC", until=until)
