"""What is known of one project: the fold of its stream.

Arrivals and rows of what came in commute and are folded by key.
A release's number and what the governor decided need a position: they answer all that was wanted before them.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from shared.release import facts, ids
from shared.release.facts import Fact

AUTOMATIC: frozenset[facts.Cause] = frozenset(("data", "drift", "schedule"))
"""The causes that nobody stands behind: the governor says when."""
NEVER_TRAINED = ("stale", "unchanged")
"""How a push ends that brought nothing to train."""


class ProjectState(Struct):
    """Knowledge of one project; `numbered` is in the order of the numbers."""

    arrivals: dict[tuple[str, str], facts.DataArrived] = field(default_factory=dict)
    numbered: dict[str, facts.ReleaseNumbered] = field(default_factory=dict)
    passed: facts.CommitPassed | None = None
    asked: dict[str, int] = field(default_factory=dict)
    """The numbers of the releases about which people were asked."""
    closed: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, facts.TrainingWanted] = field(default_factory=dict)
    """What no release answered yet, by key: together one pending request."""
    keys: dict[str, str] = field(default_factory=dict)
    """The keys of all that was ever wanted, with the release that answered it, empty while none has."""
    waits: facts.Governed | None = None
    """Why that request waits, as it was recorded last."""
    begun: int = 0
    """The number of the newest release that those in training before it give way to."""
    aside: set[str] = field(default_factory=set)
    """The releases that are parked: nothing waits for them."""
    schedule: facts.ScheduleSet | None = None
    glass: set[tuple[str, int]] = field(default_factory=set)
    """The release and round of every glass that somebody went to break."""
    settled: set[tuple[str, int]] = field(default_factory=set)
    """Those of which it is known what became of them."""
    policy: facts.PolicySet | None = None
    """The approval policy in force."""
    backed: dict[str, tuple[facts.PolicyBacked, ...]] = field(default_factory=dict)
    """Who agreed on a weaker policy in its place, by its digest."""
    pushers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Who pushed each commit, as git hosts told, whenever they did."""
    ci: dict[tuple[str, str], facts.CiEnded] = field(default_factory=dict)
    """What outside CIs said last, by their name and the commit."""

    @property
    def running(self) -> list[facts.ReleaseNumbered]:
        """The releases in training, oldest first: open, not parked, and people are not asked about them yet."""
        through = self.closed.keys() | self.asked.keys() | self.aside
        return [numbered for release, numbered in self.numbered.items() if release not in through]

    @property
    def trainings(self) -> list[facts.ReleaseNumbered]:
        """The releases that train a model, oldest first; what others registered was trained nobody knows with what."""
        return [numbered for numbered in self.numbered.values() if numbered.version is None]

    @property
    def next_number(self) -> int:
        """The number the next release gets."""
        return len(self.numbered) + 1

    @property
    def asking(self) -> int:
        """The highest number about which people are asked or agreed; a rejected question is in nobody's way.

        Nor is one about a version that others registered: it is newer by its number only, not by what is in it.
        """
        theirs = {release for release, numbered in self.numbered.items() if numbered.version is not None}
        still = {release for release in self.asked if self.closed.get(release, "live") == "live"} - theirs
        return max((self.asked[release] for release in still), default=0)

    @property
    def data(self) -> tuple[facts.BlobSeen, ...]:
        """The head of the arrivals: the newest of every blob, sorted by name."""
        seen = self.arrivals.values()
        return tuple(
            sorted((facts.BlobSeen(blob.container, blob.name, blob.size, blob.etag) for blob in seen), key=_place)
        )

    @property
    def data_version(self) -> str:
        """The name of that head."""
        return ids.data_version([(blob.container, blob.name, blob.size, blob.etag) for blob in self.data])

    @property
    def commit(self) -> str:
        """The commit that is trained again: the last that passed check, else the newest; empty when there is none.

        One that is on no branch of the project, or changed nothing of it, is not counted.
        """
        if self.passed is not None:
            return self.passed.commit
        news = reversed(self.numbered.values())
        return next((each.commit for each in news if self.closed.get(each.release) not in NEVER_TRAINED), "")

    def holds(self, arrived: facts.DataArrived) -> bool:
        """Say whether this arrival, or a later one of the same blob, is known."""
        before = self.arrivals.get((arrived.container, arrived.name))
        return before is not None and not _later(arrived, before)


def copied(state: ProjectState) -> ProjectState:
    """Return the same knowledge, which goes on to grow apart from the first."""
    fresh = {name: getattr(state, name) for name in state.__struct_fields__}
    return ProjectState(**{name: kept.copy() if hasattr(kept, "copy") else kept for name, kept in fresh.items()})


def before(known: Iterable[Fact], release: str) -> ProjectState:
    """Return what was known of the project when a release took its number."""
    state = ProjectState()
    for fact in known:
        if isinstance(fact, facts.ReleaseNumbered) and fact.release == release:
            break
        learn(state, fact)
    return state


def _place(blob: facts.BlobSeen) -> tuple[str, str]:
    return blob.container, blob.name


def learn(state: ProjectState, fact: Fact) -> None:
    """Add one fact to what is known of the project."""
    match fact:
        case facts.DataArrived(container=container, name=name):
            before = state.arrivals.get((container, name))
            if before is None or _later(fact, before):
                state.arrivals[container, name] = fact
        case facts.ReleaseNumbered(release=release, cause=cause):
            state.numbered.setdefault(release, fact)
            if cause in AUTOMATIC or cause == "person":
                _answered(state, release)
        case facts.TrainingWanted(key=key):
            if key not in state.keys:
                state.wanted[key] = fact
            state.keys.setdefault(key, "")
        case facts.Governed(decision=decision, release=release):
            state.waits = fact
            if decision == "merged":
                _answered(state, release)
        case facts.ScheduleSet():
            state.schedule = fact
        case facts.CiEnded(name=name, commit=commit):
            state.ci[name, commit] = max(state.ci.get((name, commit), fact), fact, key=_run)
        case facts.CameIn(notice={"kind": "Pushed", "after": str(commit), "by": str(by)}) if by:
            state.pushers[commit] = tuple(sorted({*state.pushers.get(commit, ()), by}))
        case facts.NewerBegun(number=number):
            state.begun = max(state.begun, number)
        case facts.ReleaseParked(release=release):
            state.aside.add(release)
        case facts.ReleaseResumed(release=release):
            state.aside.discard(release)
        case facts.GlassWaits(release=release, round=round):
            state.glass.add((release, round))
        case facts.GlassSettled(release=release, round=round):
            state.settled.add((release, round))
        case facts.PolicySet(old=old):
            if old == (state.policy.digest if state.policy else ""):
                state.policy = fact
                state.backed.clear()
        case facts.PolicyBacked(digest=digest, old=old):
            if state.policy and old == state.policy.digest:
                state.backed[digest] = (*state.backed.get(digest, ()), fact)
        case facts.BackingEnded(digest=digest):
            state.backed.pop(digest, None)
        case facts.CommitPassed(number=number):
            if state.passed is None or number > state.passed.number:
                state.passed = fact
        case facts.ApprovalAsked(release=release, number=number):
            state.asked[release] = max(number, state.asked.get(release, 0))
        case facts.ReleaseClosed(release=release, how=how):
            state.closed.setdefault(release, how)
        case _:
            pass


def _answered(state: ProjectState, release: str) -> None:
    state.keys.update(dict.fromkeys(state.wanted, release))
    state.wanted.clear()
    state.waits = None


def _later(fact: facts.DataArrived, before: facts.DataArrived) -> bool:
    """Compare sequencers as Event Grid says: as text, the shorter padded with zeros on the left."""
    width = max(len(fact.sequencer), len(before.sequencer))
    return (fact.sequencer.rjust(width, "0"), fact.etag) > (before.sequencer.rjust(width, "0"), before.etag)


def _run(ended: facts.CiEnded) -> tuple[int, int, bool, str, str]:
    """Order the words of a CI by its own numbers; of two that contradict each other under one, the failure counts."""
    return ended.run, ended.tries, ended.verdict == "failure", ended.said, ended.link


def fold(known: Iterable[Fact]) -> ProjectState:
    """Return what is known of the project after these facts."""
    state = ProjectState()
    for fact in known:
        learn(state, fact)
    return state
