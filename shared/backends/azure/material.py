"""What the SDK deploys or packages, made from a package manifest: the registered model, environment and source."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from shared.backends.azure.manifest import ENTRY, FOLDER, Package
from shared.backends.azure.registry import told_digest
from shared.backends.azure.workspace import Azure
from shared.backends.local.snapshots import unpack
from shared.errors import NotFound, StepFailed


class Material(Struct, frozen=True):
    """The SDK's model and inference configuration."""

    model: Any
    inference: Any


@contextlib.contextmanager
def material(azure: Azure, package: Package, state: Path) -> Iterator[Material]:
    """Yield what a package names; its source is a folder below `state` that is removed afterwards.

    `StepFailed` when the version in the registry says it holds other files than the manifest.
    """
    from azureml.core import Environment, Model
    from azureml.core.model import InferenceConfig

    its = package.manifest
    workspace, version = azure.workspace(), f"{its.model}:{its.version}"
    model = _named(azure, f"the version {version}", lambda: Model(workspace, id=version, expand=False))
    if (told := told_digest(model)) != its.digest:
        approved = its.digest or "one without a digest"
        reason = f"version {its.version} of {its.model} holds {told or 'unknown files'}, approved was {approved}"
        raise StepFailed(reason, "Somebody replaced the version: look into the registry, then push again")
    known = (its.environment, its.environment_version)
    environment = _named(azure, f"the environment {':'.join(known)}", lambda: Environment.get(workspace, *known))
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = Path(tempfile.mkdtemp(prefix=f"{its.release}-", dir=state))
    try:
        unpack(package.source, place / FOLDER)
        folder = str(place / FOLDER)
        yield Material(model, InferenceConfig(entry_script=ENTRY, source_directory=folder, environment=environment))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _named(azure: Azure, what: str, get: Callable[[], Any]) -> Any:
    """Return what a manifest names; it was there when the manifest was written, so it is gone for good."""
    try:
        return azure.ask(what, get)
    except NotFound as error:
        raise StepFailed(str(error), "It was deleted from the workspace: open the release again") from error
