"""Image layouts: what is in them, that they are reproducible, and that what comes out is what went in."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import msgspec
import oras.schemas
import pytest
from releases import OTHER, RELEASE, SCHEMA, image, trained
from stand_ins import Topic, until

from shared.backends.local.images import LocalImages
from shared.backends.local.layers import unpacked
from shared.backends.local.oci import Layout
from shared.backends.local.registry import LocalRegistry
from shared.backends.local.tarballs import write_layer
from shared.errors import NotFound, StepFailed, Unavailable
from shared.ports import ImageReport, ImageSpec
from tests.security.canaries import CANARIES, leaks


@pytest.fixture
def state(warm_state: Path) -> Path:
    """A state folder in which the small environment of these tests is there already."""
    return warm_state


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Stand-ins for our serving files, and for the requirements of our jobs: one small package."""
    folder = tmp_path / "scripts"
    (folder / "serving").mkdir(parents=True)
    (folder / "serving" / "entry.py").write_text("# entry")
    (folder / "requirements.in").write_text("iniconfig==2.1.0\n")
    return folder


def find(images: LocalImages, release: str = RELEASE) -> ImageReport | None:
    return asyncio.run(images.find("tiny", release))


def built(state: Path, scripts: Path, spec: ImageSpec) -> ImageReport:
    images = LocalImages(state, scripts)
    asyncio.run(images.build(spec))
    ended = until(lambda: found if (found := find(images, spec.release)) and found.status != "building" else None)
    assert ended is not None
    return ended


def manifest(state: Path, digest: str) -> dict:  # type: ignore[type-arg]
    return json.loads((state / "images" / "tiny" / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes())


def names(state: Path, layer: dict) -> list[str]:  # type: ignore[type-arg]
    path = state / "images" / "tiny" / "blobs" / "sha256" / layer["digest"].removeprefix("sha256:")
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_an_image_is_a_layout_that_others_read_and_raises_image_pushed(
    state: Path, scripts: Path, topic: Topic
) -> None:
    trained(state)
    report = built(state, scripts, image(state))
    assert (report.status, report.reason) == ("pushed", "")
    assert report.size > 0
    index = json.loads((state / "images" / "tiny" / "index.json").read_bytes())
    (entry,) = index["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": RELEASE}
    assert entry["digest"] == report.digest
    found = manifest(state, report.digest)
    jsonschema.validate(index, oras.schemas.index)
    jsonschema.validate(found, oras.schemas.manifest)
    assert found["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert {layer["mediaType"] for layer in found["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip"}
    assert json.loads((state / "images" / "tiny" / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (event,) = until(lambda: topic.of("ImagePushed"))
    assert event["subject"] == f"tiny:{RELEASE}"
    assert event["data"]["target"]["digest"] == report.digest
    assert event["data"]["target"]["tag"] == RELEASE


def test_the_layers_are_dependencies_then_code_then_model(state: Path, scripts: Path) -> None:
    trained(state)
    dependencies, code, model = manifest(state, built(state, scripts, image(state)).digest)["layers"]
    assert "opt/dependencies/iniconfig/__init__.py" in names(state, dependencies)
    assert names(state, code) == [
        "var/azureml-app/code/requirements.txt",
        "var/azureml-app/code/score.py",
        "var/azureml-app/signalbox/entry.py",
    ]
    assert names(state, model) == [
        "var/azureml-app/azureml-models/tiny/1/notes/readme.txt",
        "var/azureml-app/azureml-models/tiny/1/weights.json",
        "var/azureml-app/schema/schema.json",
    ]


def test_the_model_of_an_image_may_be_a_version_that_others_registered(state: Path, scripts: Path) -> None:
    source = trained(state)
    registry = LocalRegistry(state)
    asyncio.run(registry.register("tiny", "a notebook", source, {}))
    (state / "jobs" / f"{RELEASE}-train-1" / "outputs" / "model" / "weights.json").unlink()
    (version,) = asyncio.run(registry.find("tiny", "a notebook"))
    theirs = {"model": "version:tiny:1", "provenance": {"model": version.digest}}
    *_, model = manifest(state, built(state, scripts, image(state, **theirs)).digest)["layers"]
    assert "var/azureml-app/azureml-models/tiny/1/weights.json" in names(state, model)


def test_the_image_says_where_it_comes_from_and_how_it_is_run(state: Path, scripts: Path) -> None:
    trained(state)
    found = manifest(state, built(state, scripts, image(state)).digest)
    config = Layout(state / "images" / "tiny").get(found["config"]["digest"])
    labels = json.loads(config)["config"]["Labels"]
    assert labels == found["annotations"]
    assert labels["org.opencontainers.image.revision"] == "c" * 40
    assert (labels["signalbox.release"], labels["signalbox.data"]) == (RELEASE, "d" * 20)
    assert labels["signalbox.lock"].startswith("sha256:")
    assert "AZUREML_MODEL_DIR=/var/azureml-app/azureml-models/tiny/1" in json.loads(config)["config"]["Env"]
    layers = [Layout(state / "images" / "tiny").get(layer["digest"]) for layer in found["layers"]]
    diffs = [f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}" for layer in layers]
    assert json.loads(config)["rootfs"]["diff_ids"] == diffs


def test_two_builds_in_two_places_are_the_same_image(tmp_path: Path, scripts: Path) -> None:
    digests = set()
    for name in ("one", "two/deeper"):
        state = tmp_path / name
        trained(state)
        digests.add(built(state, scripts, image(state)).digest)
    assert len(digests) == 1


def test_what_a_job_writes_into_the_environment_never_gets_into_an_image(tmp_path: Path, scripts: Path) -> None:
    state = tmp_path / "own"
    trained(state)
    first = built(state, scripts, image(state))
    (site,) = (state / "envs").glob("*/venv/lib/python*/site-packages")
    (site / "iniconfig" / "__init__.py").write_text("raise SystemExit")
    (site / "more.py").write_text("")
    trained(state, OTHER)
    second = built(state, scripts, image(state, OTHER))
    assert manifest(state, first.digest)["layers"][0] == manifest(state, second.digest)["layers"][0]


def test_a_retrained_model_adds_only_its_own_layer(state: Path, scripts: Path) -> None:
    trained(state)
    first = built(state, scripts, image(state))
    trained(state, OTHER, weights='{"a": 5}')
    second = built(state, scripts, image(state, OTHER, version=2))
    assert second.digest != first.digest
    assert 0 < second.size < 1000 < first.size
    assert manifest(state, first.digest)["layers"][:2] == manifest(state, second.digest)["layers"][:2]
    assert find(LocalImages(state, scripts)) == first


def test_an_image_is_built_once_however_often_it_is_asked_for(state: Path, scripts: Path, topic: Topic) -> None:
    trained(state)
    spec = image(state)
    images = LocalImages(state, scripts)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: asyncio.run(images.build(spec)), range(10)))
    report = built(state, scripts, spec)
    assert built(state, scripts, spec) == report
    assert len(until(lambda: topic.of("ImagePushed"))) == 1


def test_an_image_that_nobody_built_is_not_unpacked(state: Path) -> None:
    with pytest.raises(NotFound):
        unpacked(state, "sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"requirements": "absent.txt"}, "there is no file absent.txt"),
        ({"model": "job:absent/model"}, "left no model"),
        ({"model": "version:tiny:3"}, "no version 3 of tiny"),
        ({"provenance": {"model": "sha256:00"}}, "the model is sha256:"),
        ({"provenance": {"lock": "sha256:00"}}, "the environment is sha256:"),
        ({"code": "sha256:" + "0" * 64}, "could not be built: NotFound"),
    ],
)
def test_an_image_that_cannot_be_built_says_why(
    state: Path, scripts: Path, changes: dict[str, object], reason: str
) -> None:
    trained(state)
    report = built(state, scripts, image(state, **changes))
    assert report.status == "failed"
    assert reason in report.reason
    assert report.advice


def test_a_tag_is_never_moved(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "tiny")
    one, two = (layout.put(content, "text/plain") for content in (b"1", b"2"))
    layout.tag("r", one)
    layout.tag("r", one)
    with pytest.raises(StepFailed, match="already, not"):
        layout.tag("r", two)
    assert layout.tagged("r") is not None
    assert layout.tagged("other") is None


def test_many_tag_at_once_and_none_is_lost(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "tiny")
    stored = layout.put(b"1", "text/plain")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: layout.tag(f"r{number}", stored), range(16)))
    assert all(layout.tagged(f"r{number}") for number in range(16))


def test_an_unpacked_image_is_what_went_in_with_paths_of_this_machine(state: Path, scripts: Path) -> None:
    trained(state)
    digest = built(state, scripts, image(state)).digest
    found = unpacked(state, digest)
    told = found.descriptor()
    assert Path(told["schema"]).read_text() == SCHEMA
    assert (Path(told["model_dir"]) / "weights.json").read_text() == '{"a": 2, "b": 3}'
    assert "def init" in Path(told["score"]).read_text()
    assert (Path(found.environment["AML_APP_ROOT"]) / "entry.py").read_text() == "# entry"
    path = {"PYTHONPATH": os.pathsep.join(told["path"]), "PATH": ""}
    ask = "import iniconfig; print(iniconfig.__file__)"
    answer = subprocess.run([told["python"], "-c", ask], env=path, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith(f"{state}/layers/")


def test_bytecode_of_the_dependencies_is_used_as_it_is(state: Path, scripts: Path) -> None:
    trained(state)
    told = unpacked(state, built(state, scripts, image(state)).digest).descriptor()
    command = [told["python"], "-v", "-c", "import iniconfig"]
    answer = subprocess.run(command, env={"PYTHONPATH": told["path"][0]}, capture_output=True, text=True, check=True)
    assert "iniconfig/__pycache__" in answer.stderr
    assert "wrote" not in answer.stderr
    assert not re.search(r"code object from '\S*/opt/dependencies/\S*\.py'", answer.stderr)


def test_a_changed_layer_is_never_unpacked(state: Path, scripts: Path) -> None:
    trained(state)
    report = built(state, scripts, image(state))
    model = manifest(state, report.digest)["layers"][2]["digest"].removeprefix("sha256:")
    write_layer(state / "images" / "tiny" / "blobs" / "sha256" / model, [("etc/x", scripts / "requirements.in")])
    with pytest.raises(Unavailable, match="were changed"):
        unpacked(state, report.digest)
    assert not (state / "layers" / model).exists()
    assert not list((state / "layers").glob(".new-*"))


def test_a_layer_with_a_link_or_a_way_out_is_never_unpacked(state: Path) -> None:
    for name, kind in (("../outside", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)):
        contents = io.BytesIO()
        with tarfile.open(fileobj=contents, mode="w:gz") as archive:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry, io.BytesIO(b""))
        layout = Layout(state / "images" / "tiny")
        layer = layout.put(contents.getvalue(), "application/vnd.oci.image.layer.v1.tar+gzip")
        config = layout.put(b'{"config": {"Env": []}}', "application/vnd.oci.image.config.v1+json")
        document = {"config": config, "layers": [layer], "annotations": {}, "schemaVersion": 2, "mediaType": "x"}
        stored = layout.put(msgspec.json.encode(document), "x")
        with pytest.raises(Unavailable, match="no plain file"):
            unpacked(state, stored.digest)


def test_no_planted_secret_is_in_an_image(
    state: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    for number, secret in enumerate(CANARIES.values()):
        monkeypatch.setenv(f"SECRET_PLANTED_{number}", secret)
    trained(state)
    built(state, scripts, image(state))
    blobs = [path.read_bytes() for path in (state / "images" / "tiny" / "blobs" / "sha256").iterdir()]
    blobs = [gzip.decompress(blob) if blob.startswith(b"\x1f\x8b") else blob for blob in blobs]
    found = {name for blob in blobs for name in leaks(blob)}
    size = sum(map(len, blobs))
    record_property("figures", f"planted secrets: {len(CANARIES)}, in {size:,} bytes of an image: {found or 0}")
    assert (len(blobs) >= 5, found) == (True, set())
    assert leaks(blobs[0] + CANARIES["topic key"].encode()) == ["topic key"]
