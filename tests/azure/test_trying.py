"""A service that wants a key is tried by a run that fetches the key itself."""

import asyncio
import json
from pathlib import Path

from tests.azure.jobs import Ground
from tests.azure.releases import PROJECT, RELEASE, SCHEMA, Tiny
from tests.azure.test_hosting import keys_of

GOLDEN = {"rows": [{"a": 1, "b": 1}, {"a": 0, "b": 2}], "predictions": [5, 6], "columns": ["a", "b"]}


def test_a_run_tries_a_version_of_an_endpoint_with_a_key_that_nobody_keeps(tiny: Tiny, tmp_path: Path) -> None:
    service = tiny.stands(tiny.deploy("production", RELEASE, tiny.manifest()))
    ground = Ground(tiny.double, tiny.azure, tmp_path, try_service=Path("shared/jobs/try_service.py").read_text())
    golden = {"outputs/golden.json": json.dumps(GOLDEN)}
    tiny.double.ask("POST", "/plant", {"run": f"{RELEASE}-evaluate-1", "experiment": PROJECT, "files": golden})
    settings = {"url": service.url, "latency_ms": 5000, "requests": 5, "input_schema": json.loads(SCHEMA)}

    spec = ground.spec(
        "promote",
        kind="try",
        project=PROJECT,
        inputs={"golden": f"job:{RELEASE}-evaluate-1/golden.json"},
        settings=json.dumps(settings),
    )
    ground.submit(spec)
    report = ground.ended(spec.name)

    told = json.loads(report.result)
    assert report.status == "completed", ground.log(spec.name)
    assert told["golden"] == 2
    assert {claim["name"] for claim in told["claims"]} >= {"golden", "bad_input", "latency"}
    submitted = tiny.double.ask("GET", f"/runs/{spec.name}/files")
    assert json.loads(submitted["job.json"])["service"] == {"name": PROJECT, "version": f"r{RELEASE}"}
    kept = json.dumps([submitted, ground.left(spec.name), [each["body"] for each in tiny.double.requests()]])
    assert [key for key in keys_of(tiny, PROJECT) if key in kept + asyncio.run(ground.jobs.log(spec.name))] == []
