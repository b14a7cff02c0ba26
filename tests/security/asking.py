"""Requests drawn from our own description of the app: what fits it, and what nearly does."""

import json
from collections import Counter

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from shared.openapi import JSON
from tests.functions.conftest import push_body
from tests.security.serving import FUNCTION_KEY, Served


def ask(served: Served, examples: int) -> tuple[int, Counter[int]]:
    """Send so many requests to each operation; return how many operations there are, and the answers by their status.

    Half of the requests about a release are about one that waits for an approval. An answer of 500 or more is raised.
    """
    app, seen = served.app, Counter[int]()
    release = app.world.push("a")
    app.world.run()
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", served)
    operations = [operation.ok() for operation in schema.get_all_operations()]
    pushed = schema["/api/push"]["POST"].Case(body=json.loads(push_body(app.world.commit("b"))), media_type=JSON).call()
    assert pushed.status_code == 202, "what is valid is not taken"
    seen[pushed.status_code] += 1
    proofs = {"x-functions-key": FUNCTION_KEY, "Authorization": f"Bearer {app.token(release)}"}

    def send(case: schemathesis.Case, real: bool) -> None:
        if real and "release" in case.path_parameters:
            case.path_parameters["release"] = release
        answer = case.call(headers=proofs)
        seen[answer.status_code] += 1
        assert answer.status_code < 500, f"{answer.status_code}: {case.as_curl_command()}"

    run = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    for operation in operations:
        cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
        run(given(cases, st.booleans())(send))()
    return len(operations), seen


def told(operations: int, seen: Counter[int]) -> str:
    """Return the figures in one line."""
    broken = sum(count for status, count in seen.items() if status >= 500)
    answers = ", ".join(f"{count:,} of {status}" for status, count in sorted(seen.items()))
    return f"schemathesis: {operations} operations, {seen.total():,} requests: {answers}; {broken} of 500 or more"
