"""A world whose artifacts and marks are used as by `BACKEND=azure`: packages are made by azureml-core, in the double.

Jobs and services are still the world's own, but what is fetched for each is fetched by the code that sends it to Azure.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.backends.azure.manifest import fetch
from shared.backends.azure.packaging import AzureImages
from shared.backends.azure.submitting import parts
from shared.backends.azure.workspace import Azure
from shared.control import Control
from shared.ports import ImageReport, ImageSpec, JobSpec
from shared.release import notices
from shared.release.ids import run_name, sha256
from tests.azure.stand_in import StandIn
from tests.world import World
from tools.demo.azure import scope

LISTED = "scikit-learn==1.7.2\n"
ENVIRONMENT = {"name": "signalbox-houses-0123456789ab", "version": "1"}


@contextmanager
def azure() -> Iterator[tuple[StandIn, Azure]]:
    """Start a double, and let the SDK of this process reach it."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        double = StandIn(Path(folder) / "double")
        # Without the name of the cloud the SDK asks ARM for the list of clouds first.
        os.environ.update(double.environment, HOME=folder, AZUREML_CURRENT_CLOUD="AzureCloud")
        try:
            yield double, Azure(scope(Path(folder) / "azure"))
        finally:
            os.environ.clear()
            os.environ.update(before)
            double.stop()


def world(double: StandIn, azure: Azure) -> "OnAzure":
    """Return a world on a double that is as new."""
    double.ask("POST", "/reset")
    azure.now("an environment", _environment)
    made = OnAzure(double=double, azure=azure)
    made.results["check"]["environment"] = sha256(LISTED.encode())
    return made


def _environment(workspace: Any) -> None:
    from azureml.core import Environment

    Environment(ENVIRONMENT["name"]).register(workspace)


@dataclass
class OnAzure(World):
    """A world whose packages are made through the double."""

    double: StandIn = field(kw_only=True)
    azure: Azure = field(kw_only=True)

    def restart(self) -> Control:
        """Return a controller that remembers nothing but the ledger."""
        instead = {"jobs": _Jobs, "images": _Images, "hosting": _Hosting}
        self.control = self.controller(lambda name, port: instead[name](self, port) if name in instead else port)
        return self.control

    def plant(self, spec: ImageSpec) -> None:
        """Let Azure have the run that trained the model of a release, and its version."""
        name = run_name(spec.release, "train", 1)
        told = {"run": name, "experiment": spec.project, "environment": ENVIRONMENT}
        self.double.ask("POST", "/plant", told | {"files": {"outputs/environment.txt": LISTED}})
        version = {"name": spec.project, "properties": {"model": spec.provenance["model"], "release": spec.release}}
        self.double.ask("POST", "/plant", {"models": [version]})


class _Instead:
    """Stands before a port of the world, and does as that what it does not do otherwise."""

    def __init__(self, world: OnAzure, port: Any) -> None:
        self.world, self.port = world, port
        self.images = AzureImages(world.azure, world.ledger, world.artifacts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


class _Jobs(_Instead):
    async def submit(self, spec: JobSpec) -> None:
        await parts(self.world.artifacts, spec)
        await self.port.submit(spec)


class _Images(_Instead):
    async def find(self, project: str, release: str) -> ImageReport | None:
        return await self.images.find(project, release)

    async def build(self, spec: ImageSpec) -> None:
        self.world.plant(spec)
        await self.images.build(spec)
        self.world.double.ask("POST", "/settled")
        self.world.raise_event("ImagePushed", notices.ImageHeard(spec.project, spec.release, ""))


class _Hosting(_Instead):
    async def deploy(self, slot: str, project: str, environment: str, release: str, image: str) -> None:
        await fetch(self.world.artifacts, image)
        await self.port.deploy(slot, project, environment, release, image)
