"""What the SDK deploys or packages, made from a package manifest: the registered model, environment and source."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from shared.backends.azure.manifest import ENTRY, FOLDER, Package
from shared.backends.azure.registry import told_digest
from shared.backends.local.snapshots import unpack
from shared.errors import StepFailed


class Material(Struct, frozen=True):
    """The SDK's model and inference configuration."""

    model: Any
    inference: Any


@contextlib.contextmanager
def material(workspace: Any, package: Package, state: Path) -> Iterator[Material]:
    """Yield what a package names; its source is a folder below `state` that is removed afterwards.

    `StepFailed` when the version in the registry says it holds other files than the manifest.
    """
    from azureml.core import Environment, Model
    from azureml.core.model import InferenceConfig

    its = package.manifest
    model = Model(workspace, id=f"{its.model}:{its.version}", expand=False)
    if (told := told_digest(model)) != its.digest:
        approved = its.digest or "one without a digest"
        reason = f"version {its.version} of {its.model} holds {told or 'unknown files'}, approved was {approved}"
        raise StepFailed(reason, "Somebody replaced the version: look into the registry, then push again")
    environment = Environment.get(workspace, its.environment, its.environment_version)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = Path(tempfile.mkdtemp(prefix=f"{its.release}-", dir=state))
    try:
        unpack(package.source, place / FOLDER)
        folder = str(place / FOLDER)
        yield Material(model, InferenceConfig(entry_script=ENTRY, source_directory=folder, environment=environment))
    finally:
        shutil.rmtree(place, ignore_errors=True)
