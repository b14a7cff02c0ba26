"""Packages: the manifest that names what is deployed, and the image that is built beside it."""

import asyncio
import json

import msgspec
import pytest

from shared.errors import StepFailed, Unavailable
from shared.ports import ImageSpec, Service
from shared.release.ids import sha256
from tests.azure.releases import LISTED, OTHER, PROJECT, RELEASE, SCHEMA, Tiny, tar

PACKAGE = "POST /modelmanagement/v1.0{ws}/packages"


def test_a_package_names_all_that_is_deployed_and_no_image(tiny: Tiny) -> None:
    digest = tiny.package()

    report = tiny.packaged()

    manifest = json.loads(asyncio.run(tiny.artifacts.get(digest)))
    (event,) = tiny.double.events("ImagePushed")
    assert (report.status, report.digest) == ("pushed", digest)
    assert report.deploys == {
        "model": f"{PROJECT}:1",
        "environment": f"signalbox-{PROJECT}-0123456789ab:1",
        "source": manifest["source"],
    }
    assert (event["data"]["target"]["repository"], event["data"]["target"]["tag"]) == (PROJECT, RELEASE)
    assert digest != event["data"]["target"]["digest"]
    assert (manifest["requirements"], manifest["schema"]) == (sha256(LISTED.encode()), SCHEMA)
    assert asyncio.run(tiny.artifacts.get(manifest["requirements"])) == LISTED.encode()


def test_what_is_packaged_depends_on_nothing_but_what_is_in_it(tiny: Tiny) -> None:
    first = asyncio.run(tiny.images._package(tiny.spec(tiny.register())))
    again = asyncio.run(tiny.images._package(tiny.spec(tiny.train())))
    other = asyncio.run(tiny.images._package(tiny.spec(tiny.train(), score="def init(): ...\ndef run(data): ...\n")))

    assert first == again
    assert first.manifest.source != other.manifest.source


def test_a_failed_build_is_told_with_the_end_of_its_log_and_what_to_do(tiny: Tiny) -> None:
    log = "Step 7/9 : RUN pip install\n" * 30 + "ERROR: No matching distribution found for numpi==1.26"
    tiny.double.plan("package", kind="failed", log=log)
    tiny.package()

    report = tiny.packaged()

    assert report.status == "failed"
    assert "ImageBuildFailure: Image build failed." in report.reason
    assert report.reason.endswith("No matching distribution found for numpi==1.26")
    assert report.advice == "Correct the requirements or the base image, then push again"
    assert "sig=" not in report.reason
    assert len(report.reason) < 1200


def test_an_unreachable_registry_is_told_as_such(tiny: Tiny) -> None:
    tiny.double.plan("package", kind="registry")
    tiny.package()

    report = tiny.packaged()

    assert "could not be reached" in report.reason
    assert "registry of the workspace" in report.advice


def test_a_build_that_took_too_long_has_failed(tiny: Tiny) -> None:
    tiny.double.plan("package", kind="timeout")
    tiny.package()

    report = tiny.packaged()

    assert (report.status, report.digest) == ("failed", "")
    assert "TimedOut" in report.reason


def test_a_failed_build_is_told_even_when_its_log_cannot_be_read(tiny: Tiny) -> None:
    tiny.double.plan("package", kind="failed")
    tiny.double.fault("GET *.blob.core.windows.net/azureml/ImageLogs/*", "503")
    tiny.package()

    assert "it could not be read" in tiny.packaged().reason


def test_a_lost_answer_builds_the_same_tag_again_and_nothing_else(tiny: Tiny) -> None:
    tiny.double.fault("POST /modelmanagement/*/packages", "lost", times=1)
    with pytest.raises(Unavailable):
        tiny.package()
    assert asyncio.run(tiny.images.find(PROJECT, RELEASE)) is None

    digest = tiny.package()

    assert tiny.packaged().digest == digest
    assert {each["subject"] for each in tiny.double.events("ImagePushed")} == {f"{PROJECT}:{RELEASE}"}
    assert len(tiny.double.events("ModelRegistered")) == 1


def test_another_process_began_anew_what_the_service_forgot(tiny: Tiny) -> None:
    digest = tiny.package()
    other = Tiny(tiny.double, tiny.azure, tiny.ledger, tiny.artifacts)
    tiny.packaged()
    gone = {"error": {"code": "OperationNotFound", "message": "Operation is not found."}}
    tiny.double.fault("GET /modelmanagement/*/operations/*", "", times=2, status=404, body=gone)
    asyncio.run(other.images.find(PROJECT, RELEASE))
    other.package()
    tiny.double.fault("GET /modelmanagement/*/operations/*", "", times=1, status=404, body=gone)

    assert (tiny.packaged().status, tiny.packaged().digest) == ("pushed", digest)
    assert len(tiny.double.requests(PACKAGE)) == 2


def test_a_model_trained_with_other_packages_than_were_checked_is_not_packaged(tiny: Tiny) -> None:
    spec = tiny.spec(tiny.register())
    spec = msgspec.structs.replace(spec, provenance={**spec.provenance, "lock": "sha256:" + "0" * 64})

    with pytest.raises(StepFailed, match="checked was sha256:000"):
        asyncio.run(tiny.images.build(spec))

    assert tiny.double.requests(PACKAGE) == []


def test_what_a_published_pipeline_trained_serves_in_the_environment_of_the_check(tiny: Tiny) -> None:
    properties = tiny.train()
    told = {"experiment": f"{OTHER}-train-1", "files": {"outputs/model/weights.json": "{}"}}
    tiny.double.ask("POST", "/plant", {"run": "a-name-of-azures", **told})
    tiny.train(OTHER, step="check")
    asyncio.run(tiny.registry.register(PROJECT, OTHER, f"job:{OTHER}-train-1/model", properties))

    package = asyncio.run(tiny.images._package(tiny.spec(properties, OTHER)))

    (version,) = asyncio.run(tiny.registry.find(PROJECT, OTHER))
    assert version.digest == properties["model"]
    assert package.manifest.environment == f"signalbox-{PROJECT}-0123456789ab"


def test_a_version_that_others_registered_serves_in_the_environment_of_the_check_that_was_carried_over(
    tiny: Tiny,
) -> None:
    properties = tiny.train(step="check")
    tiny.double.ask("POST", "/plant", {"models": [{"name": PROJECT, "properties": {"model": "no digest"}}]})
    spec = ImageSpec(
        project=PROJECT,
        release=OTHER,
        version=1,
        code=asyncio.run(tiny.artifacts.put(tar({"score.py": b"def init(): ...\ndef run(data): ...\n"}))),
        model=f"version:{PROJECT}:1",
        requirements="requirements.txt",
        entry="score.py",
        schema=SCHEMA,
        provenance={"model": "", "lock": properties["lock"], "checked_by": RELEASE},
    )
    tiny.double.plan("service", kind="late")

    package = asyncio.run(tiny.images._package(spec))
    slot = tiny.deploy("production", OTHER, package.digest)

    assert (package.manifest.model, package.manifest.digest) == (PROJECT, "")
    another = Tiny(tiny.double, tiny.azure, tiny.ledger, tiny.artifacts)
    assert asyncio.run(another.hosting.find(slot)) == Service(slot, "starting", package.digest)
    assert asyncio.run(another.hosting.find(f"{RELEASE}-production")) is None
