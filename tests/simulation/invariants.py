"""What must always hold, checked on what the ledger and the outside really hold, beside the code that is proven."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.backends.memory import MemoryLedger
from shared.release import chain, environment, facts, line, project, state
from shared.release.facts import KINDS, Fact
from tests.world import World

_JOB = re.compile(r"([0-9a-f]{20})-(check|train|evaluate|certify|try|promote)-(\d+)")
_SLOT = re.compile(r"([0-9a-f]{20})-(staging|production)")
ATTEMPTS = 5
"""How often a step may try to make one thing before people are asked to look."""
ONCE = {facts.ReleaseOpened, facts.CodeRead, facts.ReleaseEnded}
ONCE_A_ROUND = {*state.OUTCOMES, facts.StepOrdered, facts.Asked, facts.ChampionChosen, facts.ProductionChanged}


class _Row(msgspec.Struct):
    kind: str
    data: msgspec.Raw


@dataclass
class Invariants:
    """Watches one world; `wrong` collects what must never be."""

    world: World
    wrong: list[str]
    told: dict[str, list[Fact]] = field(default_factory=dict)
    """Every fact of every stream, in order, as it was appended."""
    once: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    generations: dict[str, int] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)
    going: list[str] = field(default_factory=list)
    """Releases that began to go live since somebody looked."""
    doubtful: list[str] = field(default_factory=list)
    """Releases of whose going live nobody knows whether it took effect, since somebody looked."""
    failed: list[str] = field(default_factory=list)
    """Releases that failed since somebody looked."""
    parked: list[str] = field(default_factory=list)
    """Releases that were parked since somebody looked."""

    def appended(self, stream: str, lines: bytes) -> None:
        """Look at an append that took effect."""
        known = self.told.setdefault(stream, [])
        for row in lines.splitlines():
            read = msgspec.json.decode(row, type=_Row)
            fact: Fact = msgspec.json.decode(read.data, type=KINDS[read.kind])
            known.append(fact)
            self._look(stream, fact, known)

    def _look(self, stream: str, fact: Fact, known: list[Fact]) -> None:
        kind = type(fact)
        if stream.startswith("release/"):
            self._doubled(stream, fact, kind)
            match fact:
                case facts.ReleaseOpened(release=release):
                    self._must(f"open/{release}" in self.world.ledger._marks, f"{stream} was opened with no mark")
                case facts.StepStarted(step=step, round=round, name=name):
                    self.going += [stream.removeprefix("release/")] if name.endswith("-live") else []
                    self._started(stream, fact)
                    ordered = {(each.step, each.round) for each in self.of(stream, facts.StepOrdered)}
                    self._must((step, round) in ordered, f"{stream}: {step} {round} was started and never ordered")
                case facts.ReleaseEnded(how="failed"):
                    self.failed.append(stream.removeprefix("release/"))
                case facts.PutOff(name=name):
                    self.doubtful += [stream.removeprefix("release/")] if name.endswith("-live") else []
                case facts.VersionAdopted(model=model):
                    trained = [each.model for each in self.of(stream, facts.Trained)]
                    theirs = [] if trained else self._theirs(stream)
                    fit = model in (trained or theirs)
                    self._must(fit, f"{stream} adopted {model}, and trained {trained or theirs}")
                case facts.Decided(round=round, approver=approver):
                    self._once((stream, "a decision of", approver, round))
                case facts.Parked():
                    self.parked.append(stream.removeprefix("release/"))
                case facts.Approved():
                    self._approved(stream, fact)
        match fact:
            case facts.ReleaseNumbered(release=release, number=number):
                self._once((stream, "the number of", release))
                if fact.ask:
                    self._once((stream, "a release for", fact.ask))
                if fact.version and fact.cause == "adopted":
                    self._once((stream, "the adoption of version", fact.version.number))
                self._governed(stream, fact, known[:-1])
                before = sum(isinstance(each, facts.ReleaseNumbered) for each in known[:-1])
                self._must(number == before + 1, f"{stream}: #{number} comes after #{before}")
            case facts.LiveDecided():
                self._decided(stream, fact, [each for each in known if isinstance(each, facts.LiveDecided)])

    def _governed(self, stream: str, new: facts.ReleaseNumbered, told: list[Fact]) -> None:
        """What nobody stands behind keeps to the operator's rules."""
        if new.cause not in project.AUTOMATIC:
            return
        rules, before = self.world.projects[stream.partition("/")[2]], project.fold(told)
        about = f"{stream}: #{new.number} by {new.cause}"
        self._must(bool(before.wanted), f"{about} was wanted by nobody")
        others = [each for each in before.running if rules.on_newer != "cancel" or each.cause not in project.AUTOMATIC]
        self._must(not others, f"{about} began while #{others[0].number if others else 0} was in training")
        times = [each.at for each in before.numbered.values() if each.cause in project.AUTOMATIC]
        cool = not times or new.at >= times[-1] + rules.governor.cooldown_minutes * 60
        self._must(cool, f"{about} began within the cool-down")
        within = [at for at in times if at > new.at - 3600]
        self._must(len(within) < rules.governor.per_hour, f"{about} is one more than an hour allows")

    def answered(self, name: str) -> bool:
        """Say whether all that was wanted of a project was answered, or waits for what no time brings."""
        known = project.fold(self.told.get(f"project/{name}", ()))
        stays = known.waits is not None and known.waits.why in ("commit", "breaker", "hourly", "daily")
        return not known.wanted or stays

    def _theirs(self, stream: str) -> list[str]:
        """Return the models that others registered and this release may adopt, because the operator says so."""
        (opened,) = self.of(stream, facts.ReleaseOpened)
        checked = [each.release for each in self.of(stream, facts.CarriedOver)]
        for source in checked:
            found = [self.of(f"release/{source}", kind) for kind in (facts.CodeRead, facts.Checked)]
            same = [self.of(stream, kind) for kind in (facts.CodeRead, facts.Checked)] == found
            self._must(same and all(found), f"{stream} carries over what {source} never found")
        if not checked or self.world.projects[opened.project].registered_elsewhere == "ignore":
            return []
        return [each.digest for each in self.world.versions if (each.name, each.release) == (opened.project, "")]

    def _doubled(self, stream: str, fact: Fact, kind: type[Fact]) -> None:
        if kind in ONCE:
            self._once((stream, kind.__name__))
        elif kind in ONCE_A_ROUND:
            self._once((stream, kind.__name__, getattr(fact, "step", ""), fact.round))  # type: ignore[attr-defined]

    def _once(self, what: tuple[Any, ...]) -> None:
        self.once[what] += 1
        self._must(self.once[what] == 1, f"{' '.join(map(str, what))} is recorded twice")

    def _started(self, stream: str, new: facts.StepStarted) -> None:
        """A step that kills its worker each time stops by itself."""
        tried: set[str] = set()
        for each in self.told[stream]:
            match each:
                case facts.StepStarted(name=new.name, attempt=attempt):
                    tried.add(attempt)
                case facts.PutOff(name=new.name, attempt=attempt):
                    tried.discard(attempt)
                case facts.Resumed():
                    tried.clear()
        self._must(len(tried) <= ATTEMPTS, f"{stream}: {new.name} was tried {len(tried)} times")

    def made(self, release: str, name: str) -> None:
        """Look at something that was made outside: that it would be was recorded before."""
        started = any(each.name == name for each in self.of(f"release/{release}", facts.StepStarted))
        self._must(started, f"{name} was made and its start was not recorded")

    def _approved(self, stream: str, fact: facts.Approved) -> None:
        (asked,) = [each for each in self.of(stream, facts.Asked) if each.round == fact.round]
        given = [each for each in self.of(stream, facts.Decided) if each.round == fact.round]
        agreed = {each.approver for each in given if each.decision == "approve" and each.evidence == asked.evidence}
        fit = fact.evidence == asked.evidence and len(agreed & set(asked.approvers)) >= asked.quorum
        self._must(fit, f"{stream} is approved by {sorted(agreed)} and {asked.quorum} had to agree")
        self._must(not [each for each in given if each.decision == "reject"], f"{stream} is approved and rejected")

    def _decided(self, stream: str, new: facts.LiveDecided, decided: list[facts.LiveDecided]) -> None:
        self._must(new.generation == len(decided), f"{stream}: generation {new.generation} after {len(decided) - 1}")
        before = decided[-2] if len(decided) > 1 else None
        held = None
        for each in self.told[stream][:-1]:
            held = each if isinstance(each, facts.Held) else None if isinstance(each, facts.Lifted) else held
        if new.why == "rolled back":
            known = [each for each in decided[:-1] if each.release == new.release]
            self._must(bool(known) and known[-1].image == new.image, f"{stream}: rolled back to what was never live")
            return
        self._once((stream, "going live of", new.release))
        self._must(held is None, f"{stream}: #{new.number} went live while production was held")
        if before is not None and before.why == "promoted":
            self._must(new.number > before.number, f"{stream}: #{new.number} replaced the newer #{before.number}")
        self._asked_for(f"release/{new.release}", new, before)

    def _asked_for(self, stream: str, new: facts.LiveDecided, before: facts.LiveDecided | None) -> None:
        """What goes live is what people approved, in place of what they were told it replaces."""
        approved = [each for each in self.of(stream, facts.Approved) if each.evidence == new.evidence]
        self._must(bool(approved), f"#{new.number} is live without an approval of its evidence")
        newest = max((each.round for each in self.of(stream, facts.ProductionChanged)), default=1)
        if not approved or not self._must(approved[-1].round == newest, f"#{new.number}: a stale approval"):
            return
        sealed = json.loads(self.world.artifacts.contents[new.evidence])
        self._must(sealed["release"]["id"] == new.release, f"#{new.number}: the evidence is of another release")
        self._must(sealed["image"] == new.image, f"#{new.number}: {new.image} is live, {sealed['image']} was approved")
        self._must(sealed["model"]["version"] == new.version, f"#{new.number}: another version than was approved")
        replaces = sealed["replaces"]["release"] if sealed["replaces"] else ""
        self._must(replaces == (before.release if before else ""), f"#{new.number} replaces what nobody was told of")
        against = [each.against for each in self.of(stream, facts.Evaluated) if each.round == newest]
        self._must(against == [replaces], f"#{new.number} was compared with {against}, it replaces {replaces!r}")

    def of(self, stream: str, kind: type[Any]) -> list[Any]:
        """Return the facts of a kind in a stream."""
        return [fact for fact in self.told.get(stream, ()) if type(fact) is kind]

    def _must(self, holds: bool, what: str) -> bool:
        if not holds:
            self.wrong.append(what)
        return holds

    def look_outside(self) -> None:
        """Look at what was made outside since the last look: one of everything, by its computed name."""
        for place, (slot, seen) in self.world.routes.items():
            if self.generations.get(place) != seen.generation:
                self._pointed(place, slot, seen.release, seen.generation)
        if len(self.jobs) != len(self.world.jobs):
            for name in self.world.jobs.keys() - self.jobs:
                self.jobs.add(name)
                found = _JOB.fullmatch(name)
                what = f"the job {name} is nobody's"
                if self._must(found is not None and f"release/{found[1]}" in self.told, what) and found:
                    self._must(self.world.specs[name].step == found[2], f"{name} does another step")

    def _pointed(self, place: str, slot: str, release: str, generation: int) -> None:
        before = self.generations.get(place, 0)
        self._must(generation > before, f"{place} went back from generation {before} to {generation}")
        self.generations[place] = generation
        decided = {each.generation: each for each in self.of(f"environment/{place}", facts.LiveDecided)}
        said = decided.get(generation)
        if self._must(said is not None, f"{place} answers from {slot}, which nobody decided") and said:
            self._must((said.slot, said.release) == (slot, release), f"{place} answers from {slot}, not {said.slot}")
            self._must(self.world.services[slot].image == said.image, f"{slot} runs another image than was decided")

    def at_rest(self) -> None:
        """Look at everything once nothing goes on: all has ended, and one of everything is there."""
        for name in self.told:
            try:
                chain.decode(name, self.world.ledger._streams[name])
            except chain.Broken as broken:
                self.wrong.append(str(broken))
        for name in self.world.projects:
            known = project.fold(self.told.get(f"project/{name}", ()))
            for release, numbered in known.numbered.items():
                self._ended(release, numbered, known)
            self._production(name, known)
            self._must(self.answered(name), f"{name}: {list(known.wanted)} was wanted and never answered")
        marks = [name for name in self.world.ledger._marks if name.startswith("open/")]
        self._must(not marks, f"marks of ended releases are left: {marks}")
        self._counted()

    def _ended(self, release: str, numbered: facts.ReleaseNumbered, known: project.ProjectState) -> None:
        told = self.told.get(f"release/{release}", [])
        folded = state.fold(told)
        about = f"{release} (#{numbered.number})"
        if not self._must(folded.opened is not None, f"{about} has its number and was never opened"):
            return
        where = line.standing(folded)
        if not self._must(folded.ended is not None, f"{about} stands at {where}: {line.waiting_for(folded)}"):
            return
        self._must(release in known.closed, f"{about} has ended and was not closed")
        self._must(folded.release.number == numbered.number, f"{about} was opened as #{folded.release.number}")
        assert folded.ended is not None
        live = self.of(f"environment/{folded.release.project}/production", facts.LiveDecided)
        went = any(each.release == release and each.why == "promoted" for each in live)
        if folded.ended.how == "live":
            self._must(went, f"{about} ended as live and never was")
        elif folded.ended.how != "superseded":
            self._must(not went, f"{about} ended as {folded.ended.how} and is live")
        running = [name for name, job in self.world.jobs.items() if job.status == "running" and release in name]
        self._must(not running, f"{about} has ended, and {running} run for it")

    def _production(self, name: str, known: project.ProjectState) -> None:
        production = environment.fold(self.told.get(f"environment/{name}/production", ()))
        live = production.live
        route = self.world.routes.get(f"{name}/production")
        if live is None:
            self._must(route is None, f"{name}: an address answers and nothing was decided")
            return
        self._must(route is not None and route[1].generation == live.generation, f"{name}: the address is behind")
        self._must(production.seen == live.generation, f"{name}: nobody saw generation {live.generation}")
        # The next close stops what production was rolled back from.
        left = production.history[-2] if live.why == "rolled back" else None
        kept = {each.slot for each in (live, production.before, left) if each}
        for slot, service in self.world.services.items():
            release = slot.partition("-")[0]
            if release in known.numbered and service.status in ("starting", "answering"):
                self._must(slot in kept, f"the slot {slot} still runs")
        self._must(self.world.services[live.slot].status == "answering", f"{live.slot} is live and does not answer")

    def _counted(self) -> None:
        versions = Counter((version.name, version.release) for version in self.world.versions if version.release)
        doubled = [f"{count} versions of {each}" for each, count in versions.items() if count > 1]
        self._must(not doubled, f"{doubled}")
        asked = {(f"{name.removeprefix('release/')}-{kind}-{each.round}{when}", to) for name in self.told
                 for each in self.of(name, facts.Asked) for to in each.approvers
                 for kind, when in (("ask", ""), ("reminder", "-half"), ("reminder", "-last"))}  # fmt: skip
        strangers = self.world.outbox.keys() - asked
        self._must(not strangers, f"people were told of what nobody asked: {sorted(strangers)}")
        unknown = [slot for slot in self.world.services if not _SLOT.fullmatch(slot)]
        self._must(not unknown, f"services of no name of ours: {unknown}")
        for told in self.told.values():
            for each in told:
                if isinstance(each, facts.VersionAdopted):
                    of = [v.release for v in self.world.versions if (v.name, v.number) == (each.name, each.number)]
                    opened = next(fact for fact in told if isinstance(fact, facts.ReleaseOpened))
                    made = opened.release if "register" in opened.line else ""
                    self._must(of == [made], f"#{opened.number} adopted the version of {of}")


class Witness(MemoryLedger):
    """A ledger that shows the invariants every append that took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.invariants: Invariants | None = None

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append, and show it."""
        length = await super().append(stream, lines, at)
        if self.invariants is not None and lines:
            self.invariants.appended(stream, lines)
        return length
