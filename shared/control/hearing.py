"""Hearing: what an event says about a run, a version, an image or a service of ours is kept, and the look decides."""

from msgspec import Struct

from shared.answers import Order
from shared.control.adopting import Adopting, Ours
from shared.control.working import again, orders
from shared.errors import Moved
from shared.release import facts, ids, line, state
from shared.release.notices import ImageHeard, ModelHeard, RunHeard, ServiceHeard, kept
from shared.streams import INBOX, Streams, release_stream

Hearable = RunHeard | ModelHeard | ImageHeard | ServiceHeard


class Hearing(Struct, frozen=True):
    """Records what was heard in the release its name leads to."""

    streams: Streams
    adopting: Adopting

    async def hear(self, notice: Hearable) -> list[Order]:
        """Append the fact, order the step that waits for it; what is no release of ours is kept and not used."""
        fact, leads_to, step = heard(notice)
        release = ids.release_in(leads_to)
        due = await self._kept(release, fact, step) if release else None
        if due is not None:
            return due
        if isinstance(notice, ModelHeard) and notice.name in self.adopting.outside.projects:
            taken = await self.adopting.hear(notice)
            return (await self._kept(taken.release, fact, step) or []) if isinstance(taken, Ours) else taken
        reason = "no release of ours has this name"
        row = facts.CameIn(fact.event, fact.subject, "refused", reason, notice=kept(notice))
        await self.streams.add(INBOX, [row])
        return []

    async def _kept(self, release: str, fact: facts.Heard, step: str) -> list[Order] | None:
        """Keep in a release what was heard of it; None when there is no such release."""
        while True:
            stream = await self.streams.recall(release_stream(release))
            known = state.fold(stream.facts)
            if known.opened is None:
                return None
            if known.ended is not None:
                return again(known)
            fresh = (fact.event, fact.subject) not in known.heard
            state.learn(known, fact)
            due = line.due(known)
            try:
                if fresh or due:
                    await self.streams.append(stream, [*([fact] if fresh else []), *due])
                else:
                    await self.streams.still(stream)
            except Moved:
                continue
            return orders(known, due) or (again(known) if line.standing(known) == step else [])


def heard(notice: Hearable) -> tuple[facts.Heard, str, str]:
    """Return the fact, the name that leads to a release, and the step that this is about."""
    match notice:
        case RunHeard(run=run, event=event, status=status):
            return facts.Heard(event, run, status), run, _step_of(run)
        case ModelHeard(name=name, version=version, release=release):
            return facts.Heard("ModelRegistered", f"{name}:{version}"), release, "register"
        case ImageHeard(repository=repository, tag=tag, digest=digest):
            return facts.Heard("ImagePushed", f"{repository}:{tag}", digest), tag, "package"
        case ServiceHeard(service=service):
            step = "promote" if service.endswith("-production") else "stage"
            return facts.Heard("ModelDeployed", service), service, step


def _step_of(run: str) -> str:
    release, _, rest = run.partition("-")
    return rest.rpartition("-")[0] if ids.release_in(release) else ""
