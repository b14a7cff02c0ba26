"""The model registry: one version a release, made where the run left its files, found again through every page."""

import asyncio
from typing import Any

import pytest

from shared.errors import Blocked, Unavailable
from shared.ports import ModelVersion
from tests.azure.releases import OTHER, PROJECT, RELEASE, Tiny

REGISTER = "POST /modelmanagement/v1.0{ws}/models"


def found(tiny: Tiny, release: str = RELEASE) -> list[ModelVersion]:
    """Return what the register step finds."""
    return asyncio.run(tiny.registry.find(PROJECT, release))


def somebody_registers(tiny: Tiny, count: int = 1, **changes: Any) -> None:
    """Let somebody else register versions."""
    version = {"name": PROJECT, "properties": {"release": RELEASE}, "runId": f"{RELEASE}-train-1"} | changes
    tiny.double.ask("POST", "/plant", {"models": [version] * count})


def test_a_version_carries_where_it_comes_from(tiny: Tiny) -> None:
    properties = tiny.register()

    (event,) = tiny.double.events("ModelRegistered")
    (model,) = tiny.azure.now("models", _models)
    assert found(tiny) == [ModelVersion(PROJECT, 1, properties["model"], RELEASE)]
    assert event["data"]["ModelProperties"] == properties | {"release": RELEASE}
    assert event["subject"] == f"models/{PROJECT}:1"
    assert (model.run_id, model.experiment_name) == (f"{RELEASE}-train-1", PROJECT)
    assert model.tags == {"release": RELEASE}


def _models(workspace: Any) -> Any:
    from azureml.core import Model

    return Model.list(workspace, expand=False)


def test_no_file_is_moved_to_register_what_a_run_left(tiny: Tiny) -> None:
    tiny.register()

    assert [each["route"] for each in tiny.double.requests() if "blob.core" in each["host"]] == []


def test_the_versions_of_a_release_are_found_on_every_page_oldest_first(tiny: Tiny) -> None:
    somebody_registers(tiny, 256)
    somebody_registers(tiny, properties={"release": OTHER})
    somebody_registers(tiny, name="other")

    assert [version.number for version in found(tiny)] == list(range(1, 257))
    assert len(tiny.double.requests("GET /modelmanagement/v1.0{ws}/models")) == 2


@pytest.mark.parametrize("given", ["sha256:" + "a" * 64, "my best one", None])
def test_a_version_is_found_by_its_number_whoever_registered_it(tiny: Tiny, given: str | None) -> None:
    properties = {} if given is None else {"model": given}
    somebody_registers(tiny, properties=properties, runId=None)

    digest = given if given and given.startswith("sha256:") else ""
    assert asyncio.run(tiny.registry.version(PROJECT, 1)) == ModelVersion(PROJECT, 1, digest, "")
    assert asyncio.run(tiny.registry.version(PROJECT, 2)) is None
    assert asyncio.run(tiny.registry.version("other", 1)) is None


def test_a_lost_answer_makes_no_second_version(tiny: Tiny) -> None:
    tiny.double.fault("POST /modelmanagement/*/models", "lost", times=1)
    with pytest.raises(Unavailable):
        tiny.register()

    tiny.register()

    assert len(tiny.double.requests(REGISTER)) == 1
    assert [version.number for version in found(tiny)] == [1]


def test_a_version_from_another_run_is_not_taken_for_ours(tiny: Tiny) -> None:
    properties = tiny.train()
    somebody_registers(tiny, runId="somebodys-run", properties={"release": RELEASE, "model": properties["model"]})

    (version,) = found(tiny)

    assert version.digest != properties["model"]
    assert "somebodys-run" in version.digest


def test_a_missing_role_names_the_role(tiny: Tiny) -> None:
    tiny.double.fault("GET /modelmanagement/*/models", "forbidden")

    with pytest.raises(Blocked, match=r"AuthorizationFailed.*AzureML Data Scientist"):
        found(tiny)
