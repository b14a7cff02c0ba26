"""The try job asks a service that asks for a key: the run fetches it, and nothing that is kept has it."""

import json
from pathlib import Path
from typing import Any

from tests.azure.jobs import Ground
from tests.azure.releases import RELEASE, Tiny
from tests.azure.stand_in import StandIn

NAME = f"{RELEASE}-try-1"
TRIES = """
import json, os
from signalbox_job.outcome import run_job
from signalbox_job.service import Service
def tried(job):
    service = Service(job.setting("url", ""))
    told = {"sees": sorted(os.environ), "page": service.get("/").status}
    return told | {"answers": service.predictions([{"a": 1, "b": 1}])}
run_job(tried)
"""


def keys_of(tiny: Tiny, service: str) -> list[str]:
    """Return the keys of a service, as its owner gets them."""

    def got(workspace: Any) -> list[str]:
        from azureml.core import Webservice

        return list(Webservice(workspace, service).get_keys())

    return tiny.azure.now("keys", got)


def test_a_service_is_tried_with_a_key_that_only_the_run_has(tiny: Tiny, double: StandIn, tmp_path: Path) -> None:
    slot = tiny.deploy("staging", RELEASE, tiny.package())
    service = tiny.stands(slot)
    ground = Ground(double, tiny.azure, tmp_path / "ground", tiny.artifacts, try_service=TRIES)
    settings = json.dumps({"url": service.url})

    ground.submit(ground.spec(step="try", kind="try", name=NAME, project="tiny", settings=settings))
    report = ground.ended(NAME)

    assert report.status == "completed", (report, ground.log(NAME))
    told = json.loads(report.result)
    assert (told["answers"], told["page"]) == ([5], 200)
    assert "SIGNALBOX_SERVICE_KEY" in told["sees"]
    sent = double.ask("GET", f"/runs/{NAME}/files")
    assert json.loads(sent["job.json"])["service"] == {"name": f"r{slot}", "version": ""}
    kept = json.dumps([sent, ground.left(NAME), [each["body"] for each in double.requests()]])
    assert [key for key in keys_of(tiny, f"r{slot}") if key in kept] == []
