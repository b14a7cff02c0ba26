"""evaluate: the candidate and the live model, rescored by our code on one frozen holdout.

The champion of a round is chosen once and recorded, so that a change of production meanwhile is seen.
"""

from msgspec import Struct

from shared.release.facts import ChampionChosen, Evaluated, Verdict
from shared.steps.turn import Found, Turn, look_at_job, read_result

EVALUATE_SECONDS = 1800


class _Result(Struct, frozen=True):
    verdict: Verdict
    metric: str
    rows: int
    candidate: float
    champion: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    champion_error: str = ""


async def look(turn: Turn) -> Found:
    """Look at the evaluation job of this round."""
    name = turn.job_name("evaluate", turn.round)
    champion = turn.state.champions.get(turn.round)
    choice = champion or _choose(turn)
    inputs = {"model": turn.model}
    if choice.image:
        inputs["champion"] = f"image:{choice.image}"
    settings = {"min_gain": turn.project.policy.min_gain}

    def ended(result: str, seconds: float) -> Evaluated:
        read = read_result(result, _Result, name)
        return Evaluated(
            round=turn.round,
            job=name,
            verdict=read.verdict,
            metric=read.metric,
            rows=read.rows,
            candidate=read.candidate,
            champion=read.champion,
            gain=read.gain,
            low=read.low,
            high=read.high,
            against=choice.release,
            note=read.champion_error,
            seconds=seconds,
        )

    facts = () if champion else (choice,)
    return await look_at_job(
        turn, name, lambda: turn.job("evaluate", name, inputs, settings, EVALUATE_SECONDS), ended, facts
    )


def _choose(turn: Turn) -> ChampionChosen:
    live = turn.production.live
    if live is None:
        return ChampionChosen(turn.round, "", 0, "")
    return ChampionChosen(turn.round, live.release, live.generation, live.image, live.adopted)
