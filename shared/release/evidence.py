"""The evidence: all that a person approves, as one canonical JSON, derived from facts alone.

The same facts always seal to the same bytes, so its SHA-256 names what was approved.
"""

from typing import Any

import msgspec

from shared.release import adopted, facts, policy
from shared.release.config import Project
from shared.release.environment import EnvironmentState
from shared.release.ids import alias, canonical
from shared.release.line import known
from shared.release.policy import ApprovalPolicy
from shared.release.state import State


def collect(
    state: State, production: EnvironmentState, project: Project, rules: ApprovalPolicy | None = None
) -> dict[str, Any]:
    """Return the evidence for the present round; every step before `ask` has its outcome.

    `rules` are the approval policy in force, that of the project's entry when it is left out.
    """
    opened, code = state.release, state.code
    assert code is not None
    live = production.live
    version = known(state, "register", facts.VersionAdopted)
    checked = known(state, "check", facts.Checked)
    instead = f" in place of v{live.version}" if live else ", where nothing serves yet"
    sealed = {
        "evidence": 1,
        "question": f"Put {opened.project} v{version.number} into production{instead}?",
        "release": {"id": opened.release, "alias": alias(opened.release), "number": opened.number},
        "project": opened.project,
        "round": state.round,
        "cause": {"kind": opened.cause, "by": opened.by, "reason": opened.reason},
        "commit": {"id": opened.commit, "author": code.author, "email": code.email, "message": code.message},
        "code": code.code,
        "data": {
            "version": opened.data,
            "content": checked.content,
            "blobs": msgspec.to_builtins(opened.blobs),
            "rows": checked.rows,
            "columns": list(checked.columns),
        },
        "model": {"name": version.name, "version": version.number, "digest": version.model},
        **_deployed(known(state, "package", facts.Packaged)),
        "replaces": _replaced(live) if live else None,
        "check": _plain(checked),
        "train": None if state.carried else _plain(known(state, "train", facts.Trained)),
        "evaluate": _plain(known(state, "evaluate", facts.Evaluated)),
        # A release keeps the line it was opened with: before there were claims about the model, nobody made any.
        "certify": _plain(known(state, "certify", facts.Certified)) if "certify" in opened.line else None,
        "try": _plain(known(state, "try", facts.Tried)),
        "must_agree": _must_agree(rules or policy.of(project)),
        "policy": {"digest": project.digest, "at_opening": opened.policy},
    }
    if state.carried:
        sealed |= _adopted(sealed, state.carried)
    champion = state.champions.get(state.round)
    if champion and champion.adopted:
        sealed["replaces_note"] = adopted.CHAMPION_MAY_HAVE_SEEN
    return sealed


def _adopted(sealed: dict[str, Any], origin: facts.CarriedOver) -> dict[str, Any]:
    """Return what is otherwise when others registered the model: unknown is what nobody can know."""
    version = {
        "commit": adopted.UNKNOWN,
        "data": adopted.UNKNOWN,
        "digest": sealed["model"]["digest"] or adopted.UNKNOWN,
    }
    # The data of that check are not those of now, unless nothing came since.
    same = origin.data == sealed["data"]["version"]
    data = {} if same else {"content": adopted.UNKNOWN, "rows": None}
    return {
        "model": sealed["model"] | version,
        "data": sealed["data"] | data,
        "adopted": {"note": adopted.MAY_HAVE_SEEN, "check_of": _plain(origin)},
    }


def seal(state: State, production: EnvironmentState, project: Project, rules: ApprovalPolicy | None = None) -> bytes:
    """Return the bytes whose SHA-256 names the evidence."""
    return canonical(collect(state, production, project, rules))


def _must_agree(rules: ApprovalPolicy) -> dict[str, Any]:
    """Return who must agree; what a policy says nothing of is left out, as it was before policies knew of it."""
    agree: dict[str, Any] = {"approvers": sorted(rules.approvers), "quorum": rules.quorum}
    more = {"required": msgspec.to_builtins(rules.required), "delegations": msgspec.to_builtins(rules.delegations)}
    return agree | {name: said for name, said in more.items() if said}


def _deployed(what: facts.Packaged | facts.LiveDecided) -> dict[str, Any]:
    """Return what is really deployed: an image by its digest, or what a package manifest names and no image."""
    if what.deploys:
        return {"image": "", "package": what.image, "deploys": dict(what.deploys)}
    return {"image": what.image}


def _replaced(live: facts.LiveDecided) -> dict[str, Any]:
    # Where an image is deployed this is as it always was: what was sealed before is sealed to the same bytes.
    plain = _plain(live)
    del plain["deploys"], plain["adopted"]
    return plain | _deployed(live)


def _plain(fact: facts.Fact) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(fact)
    return plain
