"""certify: claims about the model, made by our code through the project's scoring file."""

from msgspec import Struct

from shared.release.facts import Certified, Claim
from shared.steps.turn import Found, Turn, look_at_job, read_result

CERTIFY_SECONDS = 1800


class _Result(Struct, frozen=True):
    claims: tuple[Claim, ...]
    important: tuple[str, ...] = ()


async def look(turn: Turn) -> Found:
    """Look at the certification job."""
    name = turn.job_name("certify")
    inputs = {"model": turn.model}
    settings = {"bounds": {"noise_loss": turn.project.policy.noise_loss}}

    def ended(result: str, seconds: float) -> Certified:
        read = read_result(result, _Result, name)
        return Certified(turn.round, read.claims, read.important, seconds)

    return await look_at_job(turn, name, lambda: turn.job("certify", name, inputs, settings, CERTIFY_SECONDS), ended)
