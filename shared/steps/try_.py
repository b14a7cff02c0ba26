"""try: claims about the running service: golden answers, bad input, latency."""

import json

from msgspec import Struct

from shared.errors import StepFailed
from shared.ports import JobSpec, Service
from shared.release.facts import Checked, Claim, Evaluated, Staged, Tried
from shared.release.line import known
from shared.steps.turn import Found, Turn, look_at_job, read_result

TRY_SECONDS = 600


class TryResult(Struct, frozen=True):
    """What the try job writes; times in milliseconds."""

    golden: int
    bad_inputs: int
    p95_ms: float
    claims: tuple[Claim, ...] = ()


async def look(turn: Turn) -> Found:
    """Look at the job that tries the staging slot."""
    name = turn.job_name("try")

    def ended(result: str, seconds: float) -> Tried:
        read = read_result(result, TryResult, name)
        return Tried(turn.round, read.golden, read.bad_inputs, read.p95_ms, read.claims, seconds)

    staged = known(turn.state, "stage", Staged)
    try:
        return await look_at_job(turn, name, lambda: try_job(turn, name, staged.url), ended)
    except StepFailed as failure:
        raise with_its_cause(failure, await turn.outside.hosting.find(staged.slot)) from failure


def with_its_cause(failure: StepFailed, service: Service | None) -> StepFailed:
    """Return the failure of a trial with what the service's code raised: over HTTP it only answers 500."""
    if service is None or service.status != "answering" or not service.log:
        return failure
    return StepFailed(f"{failure.reason}; its code raised {service.log}", failure.advice, failure.log)


def try_job(turn: Turn, name: str, url: str) -> JobSpec:
    """Return the spec of a job that tries the service at `url` with the answers recorded at evaluation."""
    evaluated = known(turn.state, "evaluate", Evaluated)
    settings = {
        "url": url,
        "latency_ms": turn.project.policy.latency_ms,
        "input_schema": json.loads(known(turn.state, "check", Checked).schema),
    }
    return turn.job("try", name, {"golden": f"job:{evaluated.job}/golden.json"}, settings, TRY_SECONDS)
