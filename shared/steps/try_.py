"""try: claims about the running service: golden answers, bad input, latency."""

import json

from msgspec import Struct, structs

from shared.errors import StepFailed, Unavailable
from shared.ports import JobSpec, Service
from shared.release.facts import Checked, Claim, Evaluated, Staged, Tried
from shared.release.line import known
from shared.steps import stage
from shared.steps.turn import Found, Turn, Wanted, look_at_job, read_result

TRY_SECONDS = 600


class TryResult(Struct, frozen=True):
    """What the try job writes; times in milliseconds."""

    golden: int
    bad_inputs: int
    p95_ms: float
    claims: tuple[Claim, ...] = ()


async def look(turn: Turn) -> Found:
    """Look at the job that tries the staging slot; before it is submitted, the slot has to answer."""
    name = turn.job_name("try")

    def ended(result: str, seconds: float) -> Tried:
        read = read_result(result, TryResult, name)
        return Tried(turn.round, read.golden, read.bad_inputs, read.p95_ms, read.claims, seconds)

    staged = known(turn.state, "stage", Staged)
    service = await turn.outside.hosting.find(staged.slot)
    # Started again it may have another address.
    url = service.url if service is not None and service.url else staged.url
    try:
        found = await look_at_job(turn, name, lambda: try_job(turn, name, url), ended)
    except StepFailed as failure:
        raise with_its_cause(failure, service) from failure
    if isinstance(found, Wanted) and (service is None or service.status != "answering"):
        return await _brought_back(turn, staged.slot)
    return found


async def _brought_back(turn: Turn, slot: str) -> Found:
    """Deploy again what answered once and is gone: a machine that went down under it says nothing about the model."""
    found = await stage.look(turn)
    if isinstance(found, Wanted):
        return structs.replace(found, look_again=True)
    raise Unavailable(f"the service {slot} is being started again; it is tried once it answers")


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
