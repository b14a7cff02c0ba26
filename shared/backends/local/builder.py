"""The process an image is built in: `python -m shared.backends.local.builder <state> <project> <release>`."""

import platform
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shared.backends.local import stored, trees, works
from shared.backends.local.durable import write_durably
from shared.backends.local.environments import IN_IMAGE, Environment, ensure
from shared.backends.local.events import image_pushed, publish
from shared.backends.local.images import Order, build_folder
from shared.backends.local.oci import CONFIG, LAYER, MANIFEST, Descriptor, Layout, Manifest, canonical
from shared.backends.local.registry import model_source
from shared.backends.local.runner import capture_output
from shared.backends.local.snapshots import unpack
from shared.backends.local.tarballs import WrittenLayer, write_layer
from shared.errors import StepFailed
from shared.ports import ImageReport, ImageSpec

ROOT = "var/azureml-app"
COMMAND = ("python", "-m", "gunicorn", "-b", "0.0.0.0:5001", "azureml_inference_server_http.server.entry:app")


def main(state: Path, project: str, release: str) -> None:
    """Build, tag and tell; there is no way out without a status."""
    folder = build_folder(state, project, release)
    works.enter(folder)
    capture_output(folder)
    order, began = msgspec.json.decode((folder / "spec.json").read_bytes(), type=Order), time.monotonic()
    ended: ImageReport | None = None
    pushed: Descriptor | None = None
    try:
        pushed, size = build(state, order.spec, Path(order.scripts), folder / "work")
        ended = ImageReport("pushed", pushed.digest, time.monotonic() - began, size)
    except StepFailed as failure:
        ended = ImageReport("failed", reason=failure.reason, advice=failure.advice)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if ended is None:
            reason = f"the image could not be built: {type(sys.exception()).__name__}: {sys.exception()}"
            ended = ImageReport("failed", reason=reason, advice=f"see {folder / 'log.txt'}")
        write_durably(folder / "status.json", msgspec.json.encode(ended))
        shutil.rmtree(folder / "work", ignore_errors=True)
    if pushed is not None:
        publish(image_pushed(project, release, pushed.digest, pushed.size, MANIFEST))


def build(state: Path, spec: ImageSpec, scripts: Path, work: Path) -> tuple[Descriptor, int]:
    """Write the layers, the config and the manifest into the project's layout and tag it with the release.

    Returns the manifest and how many bytes of layers are new.
    There is no layer below the dependencies: the interpreter is the one of the host.
    """
    shutil.rmtree(work, ignore_errors=True)
    code, model = work / "code", f"{ROOT}/azureml-models/{spec.project}/{spec.version}"
    unpack(stored.artifact(state, spec.code), code)
    environment = ensure(state, code, spec.requirements, print, scripts / "requirements.in")
    _agree("environment", environment.lock, spec.provenance.get("lock"))
    folder, digest = model_source(state, spec.model)
    _agree("model", digest, spec.provenance.get("model"))
    (work / "schema.json").write_text(spec.schema, "utf-8")
    layout = Layout(state / "images" / spec.project)
    code_files = [(f"{ROOT}/code/{name}", path) for name, path in trees.files(code)]
    serving = [(f"{ROOT}/signalbox/{path.name}", path) for path in (scripts / "serving").glob("*.py")]
    model_files = [(f"{model}/{name}", path) for name, path in trees.files(folder)]
    layers = (
        (environment.layer, state / "envs" / environment.key / "layer.tar.gz"),
        (write_layer(work / "code.tar.gz", [*code_files, *serving]), work / "code.tar.gz"),
        (
            write_layer(work / "model.tar.gz", [*model_files, (f"{ROOT}/schema/schema.json", work / "schema.json")]),
            work / "model.tar.gz",
        ),
    )
    new = sum(layer.size for layer, path in layers if layout.adopt(path, layer.digest))
    manifest = _manifest(layout, spec, environment, [layer for layer, _ in layers], f"/{model}")
    layout.tag(spec.release, manifest)
    return manifest, new


def _agree(what: str, have: str, told: str | None) -> None:
    if told and told != have:
        reason = f"the {what} is {have} now, but was {told} when the release went through its checks"
        raise StepFailed(reason, "what was not checked is not packaged: open the release again")


def _manifest(
    layout: Layout, spec: ImageSpec, environment: Environment, layers: list[WrittenLayer], model: str
) -> Descriptor:
    notes = _notes(spec, environment)
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        # A time would make every build another image.
        "created": "1970-01-01T00:00:00Z",
        "os": platform.system().lower(),
        "config": {"Cmd": COMMAND, "Env": _environment(spec, model), "Labels": notes, "WorkingDir": f"/{ROOT}"},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff for layer in layers]},
        "history": [{"created_by": name} for name in ("dependencies", "code", "model")],
    }
    stored = layout.put(canonical(config), CONFIG)
    described = [Descriptor(LAYER, layer.digest, layer.size) for layer in layers]
    return layout.put(canonical(Manifest(stored, described, notes)), MANIFEST)


def _environment(spec: ImageSpec, model: str) -> list[str]:
    values = {
        "AML_APP_ROOT": f"/{ROOT}/signalbox",
        "AZUREML_ENTRY_SCRIPT": "entry.py",
        "AZUREML_MODEL_DIR": model,
        "PYTHONPATH": IN_IMAGE,
        "SIGNALBOX_SCHEMA": f"/{ROOT}/schema/schema.json",
        "SIGNALBOX_SCORE": f"/{ROOT}/code/{spec.entry}",
    }
    return [f"{name}={value}" for name, value in values.items()]


def _notes(spec: ImageSpec, environment: Environment) -> Mapping[str, str]:
    """Return what the image says about where it comes from."""
    base = f"none: the interpreter is the host's, Python {platform.python_version()}"
    return {
        "org.opencontainers.image.title": spec.project,
        "org.opencontainers.image.version": str(spec.version),
        "org.opencontainers.image.revision": spec.provenance.get("commit", ""),
        "org.opencontainers.image.base.name": base,
        "signalbox.release": spec.release,
        "signalbox.lock": environment.lock,
        **{f"signalbox.{name}": value for name, value in spec.provenance.items()},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
