"""A ledger that was filled for years, written at once."""

from msgspec.structs import replace

from shared.release import chain, facts, ids
from shared.streams import project_stream, release_stream
from tests.world import FILES, RUNNER, World

BETTER = {"verdict": "better", "metric": "rmse", "rows": 88, "candidate": 54.9, "champion": 56.3}
BETTER |= {"gain": 1.4, "low": 0.2, "high": 2.7}
CLAIM = {"name": "drift", "verdict": "warning", "sentence": "the month of March is 2 % worse than the others"}


def better(world: World) -> str:
    """Let a release that is better than what is live come to its question; return it."""
    first = world.push("a", FILES | {"requirements.txt": "scikit-learn==1.7.1\njoblib==1.5.1\n"})
    world.run()
    world.decide(first)
    world.run()
    world.results["evaluate"] = dict(BETTER)
    world.results["check"] |= {"rows": 120, "columns": ["rooms", "garden", "price"]}
    world.results["certify"]["claims"].append(CLAIM)
    world.data()
    release = world.push("c", FILES | {"requirements.txt": "scikit-learn==1.7.2\njoblib==1.5.1\npandas==2.3.3\n"})
    world.run()
    return release


def thousand(world: World) -> None:
    """Let a thousand releases be in the ledger, each with the facts of the first; the last twenty are under way."""
    known = world.state_of_project().numbered
    kept = world.facts(release_stream(next(iter(known))))
    rows: list[facts.Fact] = []
    at = world.now.isoformat(timespec="milliseconds")
    for number in range(len(known) + 1, 1001):
        commit = f"{number:040x}"
        release = ids.release_id("houses", commit, "", "")
        moment = int(world.now.timestamp()) + 60 * number
        rows.append(facts.ReleaseNumbered(release, number, commit, "", "push", "", "dee@example.org", "a", moment))
        opened = replace(kept[0], release=release, number=number, commit=commit)
        told = kept[1:] if number <= 980 else kept[1:8]
        lines = chain.encode([opened, *told], at, chain.begin(release_stream(release)).head)
        RUNNER.run(world.ledger.append(release_stream(release), lines, 0))
        if number <= 980:
            rows.append(facts.ReleaseClosed(release, "kept"))
    RUNNER.run(world.control.streams.add(project_stream("houses"), rows))
