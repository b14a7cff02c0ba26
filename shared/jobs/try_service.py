"""The try job: claims about a running service, over HTTP as its users will call it.

settings: url (".../score"), latency_ms, requests; input_schema (check's "schema", optional: says what may be null).
inputs: golden (golden.json of evaluate).
result: {"golden", "bad_inputs", "p50_ms", "p95_ms", "claims": [{"name", "verdict", "value", "bound", "sentence"}]}.
"""

import json
from typing import Any

from signalbox_job.bad_inputs import bad_inputs
from signalbox_job.outcome import Job, JobFailed, run_job
from signalbox_job.service import Service

LATENCY_MS = 250.0
REQUESTS = 200
Claim = dict[str, Any]


def try_service(job: Job) -> dict[str, Any]:
    """Ask the service everything; the first claim that does not hold ends it."""
    golden = json.loads(job.input("golden").read_text(encoding="utf-8"))
    if not golden["rows"]:
        raise JobFailed("golden.json has no rows", "Look at the evaluate job that wrote it")
    service = Service(str(job.setting("url", "")))
    answering = [claim_of_answering(service)]
    equal = claim_of_golden(service, golden)
    refused, count = claim_of_bad_inputs(service, golden, job.setting("input_schema", {}))
    after = claim_of_golden(service, golden) | {"name": "answers_after_bad_input"}
    fast, p50, p95 = claim_of_latency(service, golden, job)
    claims = [*answering, equal, refused, after, fast]
    for claim in claims:
        print(f"{claim['verdict']:<10}{claim['name']}: {claim['sentence']}", flush=True)
    return {
        "golden": len(golden["rows"]),
        "bad_inputs": count,
        "p50_ms": p50,
        "p95_ms": p95,
        "claims": claims,
    }


def claim(name: str, value: float | None, bound: float | None, sentence: str) -> Claim:
    """Return a claim that holds."""
    return {"name": name, "verdict": "certified", "value": value, "bound": bound, "sentence": sentence}


def claim_of_answering(service: Service) -> Claim:
    """The service answers to probes, and describes itself."""
    for path in ("/", "/swagger.json"):
        answer = service.get(path)
        if answer.status != 200:
            raise JobFailed(
                f"The service answers {answer.status} to GET {path}: {answer.shown()}",
                "Correct the scoring file and push",
            )
    return claim("answers", None, None, "answers GET / and GET /swagger.json")


def claim_of_golden(service: Service, golden: dict[str, Any]) -> Claim:
    """Every golden row gets the answer it got at evaluation, in one batch and alone."""
    rows, wanted = golden["rows"], golden["predictions"]
    batch = service.predictions(rows)
    single = service.predictions(rows[:1])
    for number, (row, expected, got) in enumerate(zip(rows, wanted, batch, strict=True), 1):
        if not equal(expected, got):
            raise JobFailed(
                f"Golden row {number} of {len(rows)} gets {got!r} from the service and got {expected!r} at evaluation"
                f" (row: {json.dumps(row)[:200]})",
                "Look for what differs between training and serving: versions, files beside the model, global state",
            )
    if not equal(wanted[0], single[0]):
        raise JobFailed(
            f"Golden row 1 asked alone gets {single[0]!r} and got {wanted[0]!r} at evaluation",
            "Let run() treat each row by itself",
        )
    return claim("golden", float(len(rows)), None, f"{len(rows)} golden answers equal")


def equal(expected: Any, got: Any) -> bool:
    """Tell whether two answers are the same; numbers within 1e-9 of their size."""
    if isinstance(expected, str) or isinstance(got, str):
        return bool(expected == got)
    return bool(abs(expected - got) <= 1e-9 * max(abs(expected), abs(got)))


def claim_of_bad_inputs(service: Service, golden: dict[str, Any], schema: dict[str, Any]) -> tuple[Claim, int]:
    """Every malformed input gets a 4xx."""
    tried = bad_inputs(golden, schema)
    for name, body in tried:
        answer = service.post(body)
        if not 400 <= answer.status < 500:
            raise JobFailed(
                f"The service answers {answer.status} to bad input ({name}) where a 4xx is right: {answer.shown()}",
                "Input is checked against the schema before run(): see the input schema in the result of check",
            )
    return claim("bad_input", float(len(tried)), None, f"{len(tried)} bad inputs refused"), len(tried)


def claim_of_latency(service: Service, golden: dict[str, Any], job: Job) -> tuple[Claim, float, float]:
    """95 % of requests of one row, one after the other on one connection, are answered within the bound."""
    bound, count = float(job.setting("latency_ms", LATENCY_MS)), int(job.setting("requests", REQUESTS))
    rows = golden["rows"]
    taken = sorted(service.timed(rows[at % len(rows)]) for at in range(max(1, count)))
    p50, p95 = (round(taken[min(len(taken) - 1, int(len(taken) * share))], 3) for share in (0.50, 0.95))
    if p95 > bound:
        raise JobFailed(
            f"p95 of {len(taken)} requests is {p95:.0f} ms and the bound is {bound:.0f} ms (p50 {p50:.0f} ms)",
            "Make run() faster, or raise latency_ms, and release again",
        )
    return claim("latency", p95, bound, f"p95 {p95:.1f} ms of {len(taken)} requests, bound {bound:.0f} ms"), p50, p95


if __name__ == "__main__":
    run_job(try_service)
