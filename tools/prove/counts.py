"""What must be there exactly once after a release went live, counted where it is kept."""

from collections import Counter

from shared.release import facts, state
from shared.release.chain import Broken
from tools.prove import stores
from tools.prove.ground import Ground

RUNS = ("check-1", "train-1", "evaluate-1", "certify-1", "try-1", "promote-1")
OUTCOMES = (*(kind.__name__ for kind in state.OUTCOMES), "ReleaseEnded")


def once(ground: Ground, release: str) -> None:
    """Claim one run a step, one version, one image, one service an environment, and one of every outcome."""
    at, telling = ground.state, ground.telling
    ground.at_rest(release)
    wanted = {f"{release}-{run}": "completed" for run in RUNS}
    found = stores.runs(at, release)
    telling.claim("one run a step and round, all completed", found == wanted, _short(found, release))
    telling.equal("versions in the model registry", len(stores.versions(at, release)), 1)
    telling.equal("images in the layout with its tag", len(stores.images(at, ground.project, release)), 1)
    telling.equal("service slots", stores.slots(at, release), ["production", "staging"])
    serving = {where: len(masters) for where, masters in stores.services(at, release).items()}
    telling.equal("services running (staging was vacated)", serving, {"production": 1})
    recorded = Counter(type(fact).__name__ for fact in stores.facts_of(at, release))
    outcomes = ("Checked", "Trained", "Evaluated", "Certified", "VersionAdopted", "Packaged", "Staged", "Tried")
    twice = {
        name: recorded[name] for name in (*outcomes, "Approved", "Promoted", "ReleaseEnded") if recorded[name] != 1
    }
    telling.claim("one of every outcome in its stream", not twice, twice or f"{sum(recorded.values())} facts")


def chained(ground: Ground) -> None:
    """Claim that the chain of every stream of the ledger verifies, and that production went live once a release."""
    try:
        streams = stores.ledger(ground.state)
    except Broken as broken:
        ground.telling.claim("the ledger verifies", False, broken)
        return
    rows = sum(len(stream.records) for stream in streams.values())
    ground.telling.claim("the ledger verifies", True, f"{len(streams)} streams, {rows} facts, chained by digest")
    production = streams[f"environment/{ground.project}/production"].facts
    decided = [fact.release for fact in production if isinstance(fact, facts.LiveDecided)]
    ground.telling.claim("each went live once", len(decided) == len(set(decided)), f"{len(decided)} decisions")


def _short(runs: dict[str, str], release: str) -> str:
    return ", ".join(f"{name.removeprefix(f'{release}-')} {status}" for name, status in runs.items())
