"""Reports: derived from facts each time, never stored as truth."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from shared import words
from shared.errors import NotFound
from shared.release import adopted, chain, facts, ids, line
from shared.release.known import CameInRow, KnownEnvironment, KnownRelease, LastHeard
from shared.release.people import among
from shared.release.state import OUTCOMES, State


def releases(known: Iterable[KnownRelease]) -> dict[str, Any]:
    """Return releases, in the order given."""
    return {"releases": [release(each.state, each.address) for each in known]}


def release_view(known: KnownRelease, view: str) -> dict[str, Any]:
    """Return one release, or its timeline; `NotFound` when there is no such view."""
    if view == "timeline":
        return {"release": known.state.release.release, "timeline": timeline(known.stream)}
    if view:
        raise NotFound(f"there is no view {view} of a release; there are evidence, timeline and log")
    return release(known.state, known.address)


def release(state: State, address: str) -> dict[str, Any]:
    """Return one release as people and programs read it; `address` is the stable production address."""
    opened, code = state.release, state.code
    how = state.ended.how if state.ended else "parked" if state.parked else "open"
    version = line.outcome(state, "register")
    return {
        "release": opened.release,
        "alias": ids.alias(opened.release),
        "project": opened.project,
        "number": opened.number,
        "commit": opened.commit,
        "message": code.message if code else opened.reason,
        "data": opened.data,
        "cause": opened.cause,
        "trained": _trained(state),
        "by": opened.by,
        "state": how,
        "standing": line.standing(state),
        "waits_for": line.waiting_for(state),
        **_why(state),
        "glass": _glass(state),
        "round": state.round,
        "version": version.number if isinstance(version, facts.VersionAdopted) else None,
        "steps": [_step(state, step) for step in opened.line],
        "digests": _digests(state),
        "address": address if how == "live" else "",
    }


def _trained(state: State) -> dict[str, str]:
    """Say what trained the model: nobody knows it of one that others registered, whose commit only scores it."""
    if state.carried is None:
        return {"commit": state.release.commit, "data": state.release.data, "note": ""}
    return {"commit": adopted.UNKNOWN, "data": adopted.UNKNOWN, "note": adopted.MAY_HAVE_SEEN}


def _glass(state: State) -> dict[str, Any] | None:
    """Say who broke the glass of the newest round, and whether somebody else stands behind it."""
    if not state.glass:
        return None
    turn = max(state.glass)
    broken, second = state.glass[turn], state.confirmed.get(turn)
    waits = "nobody else may confirm it: name somebody in projects.toml" if broken.alone else "waits"
    how = "confirmed" if second else "not confirmed, production is held" if turn in state.unconfirmed else waits
    told = {"by": broken.by, "reason": broken.reason, "evidence": broken.evidence, "state": how}
    return told | {"confirmed_by": second.by if second else "", "until": f"{words.moment(broken.confirm_by)} UTC"}


def _why(state: State) -> dict[str, str]:
    if state.ended is not None:
        return {"reason": state.ended.reason, "advice": state.ended.advice}
    return {"reason": state.parked.reason, "advice": words.PARKED} if state.parked else {"reason": "", "advice": ""}


def _step(state: State, step: str) -> dict[str, Any]:
    turn = (step, line.round_of(state, step))
    outcome = line.outcome(state, step)
    row: dict[str, Any] = {"step": step, "state": "waiting", "word": "", "seconds": None, "sentence": ""}
    if failure := state.failed.get(turn):
        return row | {"state": "failed", "word": "failed", "sentence": failure.reason, "log": failure.log}
    stopped = state.ended is not None and state.ended.step == step and state.ended.how != "live"
    if stopped and state.ended is not None:
        word = words.word(outcome) if outcome and state.ended.how == "failed" else state.ended.how
        seconds = getattr(outcome, "seconds", None)
        return row | {"state": "stopped", "word": word, "seconds": seconds, "sentence": state.ended.reason}
    if outcome is not None:
        done = {"state": "passed", "word": words.word(outcome), "seconds": getattr(outcome, "seconds", None)}
        return row | done | {"sentence": words.sentence(outcome)}
    if line.standing(state) == step and state.parked:
        return row | {"state": "failed", "word": "parked", "sentence": state.parked.reason}
    if step == "ask" and line.standing(state) == step and turn[1] in state.asked:
        return row | {"state": "running", "word": "waiting", "sentence": words.waiting(state)}
    if line.standing(state) == step and turn in state.ordered:
        return row | {"state": "running", "sentence": f"waits for {line.waiting_for(state)}"}
    return row


def _digests(state: State) -> dict[str, str]:
    trained, packaged = line.outcome(state, "train"), line.outcome(state, "package")
    model = line.outcome(state, "register") if state.carried else trained
    return {
        "commit": state.release.commit,
        "data": state.release.data,
        "model": model.model if isinstance(model, facts.Trained | facts.VersionAdopted) else "",
        **_packaged(packaged),
        "evidence": state.asked[max(state.asked)].evidence if state.asked else "",
    }


def _packaged(packaged: facts.Fact | None) -> dict[str, str]:
    return named(packaged) if isinstance(packaged, facts.Packaged) else {"image": ""}


def named(what: facts.Packaged | facts.LiveDecided) -> dict[str, str]:
    """Name what is deployed by its digest: an image, or a package where the platform builds the image itself."""
    return {"package" if what.deploys else "image": what.image}


def timeline(stream: chain.Stream) -> list[dict[str, str]]:
    """Return every fact of a release in order, with when and in words."""
    return [
        {
            "at": record.at,
            "fact": facts.kind_of(record.fact),
            "step": getattr(record.fact, "step", "") or OUTCOMES.get(type(record.fact), ""),
            "sentence": words.told(record.fact),
        }
        for record in stream.records
    ]


def came_in(known: Iterable[CameInRow]) -> dict[str, Any]:
    """Return one row for each thing that came in and each decision of the governor, newest first."""
    return {"events": [_came_in(row) for row in known]}


def _came_in(known: CameInRow) -> dict[str, Any]:
    fact, release = known.record.fact, known.release
    row = {"id": "", "at": known.record.at, "project": known.project, "delivery": ""}
    match fact:
        case facts.CameIn():
            release = fact.release
            row |= {"id": f"{known.project or '-'}:{known.line}", "delivery": fact.delivery, "reason": fact.reason}
            row |= {"secret": fact.secret} if fact.secret else {}
            told = {"source": fact.source, "subject": fact.subject, "became": words.became(fact)}
        case facts.Heard():
            told = {"source": fact.event, "subject": fact.subject, "became": "kept by", "reason": fact.status}
        case facts.Governed():
            release = fact.release
            told = {"source": "governor", "subject": "what is wanted", "became": fact.decision, "reason": fact.reason}
        case _:
            raise TypeError(f"{type(fact).__name__} did not come in")
    return row | told | {"release": release, "alias": ids.alias(release) if release else ""}


def sources(known: Iterable[LastHeard], now: datetime) -> dict[str, Any]:
    """Return when each source was last heard by any project, and who is silent for longer than is expected.

    And who still proves itself by a secret that is to be given up: no secret is named, for health is read by anybody.
    """
    last: dict[str, str] = {}
    silent = []
    previous = []
    for each in known:
        last[each.source] = max(last.get(each.source, ""), each.at)
        if each.expected and (not each.at or now - datetime.fromisoformat(each.at) > timedelta(hours=each.expected)):
            since = f"is silent since {each.at[:16]}" if each.at else "was never heard"
            silent.append(f"{each.source} {since}, expected every {each.expected:g} h")
        if each.previous:
            previous.append(f"a previous secret is still in use by {each.source}, last at {each.at[:16]}")
    return {"sources": last, "silent": sorted(set(silent)), "previous_secrets": sorted(set(previous))}


def environments(known: Iterable[KnownEnvironment]) -> dict[str, Any]:
    """Return what is live where, whether it is held, and who is asked about what."""
    return {"environments": [_environment(each) for each in known]}


def _environment(known: KnownEnvironment) -> dict[str, Any]:
    held = known.state.held
    return {
        "project": known.project,
        "environment": known.name,
        "live": _staging(known) if known.name == "staging" else _live(known),
        "held": {"by": _holder(held), "reason": held.reason, "at": _when(known.stream, held)} if held else None,
        "waiting": [_waiting(each.state) for each in known.waiting],
        "pending": known.pending,
        "rules_wait": known.rules_wait,
        "glass": list(known.glass),
    }


def _holder(held: facts.Held) -> str:
    return held.by if held.release else words.said(held.by, held.how)


def _staging(known: KnownEnvironment) -> dict[str, Any] | None:
    newest = next(reversed(known.state.slots.values()), None)
    if newest is None:
        return None
    return {"release": newest.release, "alias": ids.alias(newest.release), "version": newest.version}


def _live(known: KnownEnvironment) -> dict[str, Any] | None:
    decided = known.state.live
    if decided is None:
        return None
    return {
        "release": decided.release,
        "alias": ids.alias(decided.release),
        "version": decided.version,
        "number": decided.number,
        "since": _when(known.stream, decided),
        "by": decided.by if decided.why == "promoted" else words.said(decided.by, decided.how),
        "why": decided.why,
        **named(decided),
        "address": known.address,
        "generation": decided.generation,
        "seen": known.state.seen >= decided.generation,
    }


def _waiting(known: State) -> dict[str, Any]:
    asked = known.asked.get(known.round)
    decided = known.decided.get(known.round, {})
    approvers = list(asked.approvers) if asked else []
    return {
        "release": known.release.release,
        "alias": ids.alias(known.release.release),
        "approvers": approvers,
        "missing": [who for who in approvers if who not in decided],
        "quorum": asked.quorum if asked else 0,
    }


def _when(stream: chain.Stream, fact: facts.Fact) -> str:
    return next((record.at for record in reversed(stream.records) if record.fact is fact), "")


def question(state: State, evidence: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return what an approver is asked, in the order in which they read it."""
    asked = state.asked[max(state.asked)]
    decided = state.decided.get(asked.round, {})
    claims = [claim for step in ("certify", "try") if evidence[step] for claim in evidence[step]["claims"]]
    return {
        "question": evidence["question"],
        "release": state.release.release,
        "alias": ids.alias(state.release.release),
        "evidence": asked.evidence,
        "evaluate": evidence["evaluate"],
        "commit": evidence["commit"],
        "data": evidence["data"],
        "model": evidence["model"],
        "adopted": evidence["adopted"]["note"] if "adopted" in evidence else "",
        "replaces_note": evidence.get("replaces_note", ""),
        "image": evidence["image"],
        "deploys": evidence.get("deploys", {}),
        "package": evidence.get("package", ""),
        "open_claims": [claim for claim in claims if claim["verdict"] != "certified"],
        "claims": [claim for claim in claims if claim["verdict"] == "certified"],
        "try": evidence["try"],
        "approvers": [_answer(state, asked, who) for who in dict.fromkeys((*asked.approvers, *decided))],
        "of": len(asked.approvers),
        "quorum": asked.quorum,
        "required": {name: list(members) for name, members in asked.required.items()},
        "glass": _glass(state),
        "until": words.day(asked.expires),
        "state": _asked_state(state, asked, now),
    }


def _answer(state: State, asked: facts.Asked, who: str) -> dict[str, Any]:
    """Return what one person answered, and for whom; a maker does not approve."""
    given = state.decided.get(asked.round, {}).get(who)
    told = {"name": who, "decision": given.decision if given else "", "reason": given.reason if given else ""}
    made = among(who, asked.makers)
    return told | {"instead_of": list(given.instead_of) if given else [], "made": made}


def _asked_state(state: State, asked: facts.Asked, now: datetime) -> str:
    if state.ended is not None:
        return f"It ended as {state.ended.how}: {state.ended.reason}."
    if line.standing(state) != "ask":
        return "It was approved and is on its way into production."
    return "" if now.timestamp() < asked.expires else "The time to answer is over."
