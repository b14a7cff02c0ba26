"""A release of a tiny model whose training is done, as its run left it in the double."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.backends.azure.hosting import AzureHosting
from shared.backends.azure.packaging import AzureImages
from shared.backends.azure.registry import AzureRegistry
from shared.backends.azure.workspace import Azure
from shared.backends.memory import MemoryArtifacts, MemoryLedger
from shared.ports import ImageReport, ImageSpec, Service
from shared.release.ids import sha256, slot_name
from tests.azure.stand_in import StandIn
from tests.local_backend.releases import COLUMNS, SCHEMA, SCORE, tar

RELEASE, OTHER = "0123456789abcdef0123", "fedcba98765432100123"
PROJECT = "tiny"
WEIGHTS = {"a": 2, "b": 3}
LISTED = "gunicorn==23.0.0\n"


def digest(files: Mapping[str, str]) -> str:
    """Return the digest of a model's files, as the training job tells it."""
    lines = [f"{name}\0{hashlib.sha256(text.encode()).hexdigest()}\n" for name, text in sorted(files.items())]
    return sha256("".join(lines).encode())


def _environment(workspace: Any) -> Any:
    from azureml.core import Environment

    return Environment(f"signalbox-{PROJECT}-0123456789ab").register(workspace)


@dataclass
class Tiny:
    """One release on its way through the double, with the ports it goes through."""

    double: StandIn
    azure: Azure
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)

    def __post_init__(self) -> None:
        self.registry = AzureRegistry(self.azure)
        self.images = AzureImages(self.azure, self.ledger, self.artifacts)
        self.hosting = AzureHosting(self.azure, self.artifacts)

    def train(
        self, release: str = RELEASE, weights: Mapping[str, int] = WEIGHTS, step: str = "train"
    ) -> dict[str, str]:
        """Leave what a training run, or that of another step, leaves; return the properties of its version."""
        registered = self.azure.now("an environment", _environment)
        model = {"weights.json": json.dumps(weights), "notes/readme.txt": "two weights"}
        files = {f"outputs/model/{path}": text for path, text in model.items()} | {"outputs/environment.txt": LISTED}
        used = {"name": registered.name, "version": registered.version}
        told = {"run": f"{release}-{step}-1", "experiment": PROJECT, "environment": used, "files": files}
        self.double.ask("POST", "/plant", told)
        return {"model": digest(model), "lock": sha256(LISTED.encode()), "commit": "c0ffee", "data": "d" * 16}

    def register(self, release: str = RELEASE, **changes: Mapping[str, int]) -> dict[str, str]:
        """Train and register; return the properties of the version."""
        properties = self.train(release, **changes)
        asyncio.run(self.registry.register(PROJECT, release, f"job:{release}-train-1/model", properties))
        return properties

    def spec(self, properties: Mapping[str, str], release: str = RELEASE, score: str = SCORE) -> ImageSpec:
        """Return what the package step asks for."""
        code = tar({"score.py": score.encode(), "requirements.txt": b""})
        version = asyncio.run(self.registry.find(PROJECT, release))[0].number
        return ImageSpec(
            project=PROJECT,
            release=release,
            version=version,
            code=asyncio.run(self.artifacts.put(code)),
            model=f"job:{release}-train-1/model",
            requirements="requirements.txt",
            entry="score.py",
            schema=SCHEMA,
            provenance=properties,
        )

    def manifest(self, release: str = RELEASE, score: str = SCORE, **changes: Mapping[str, int]) -> str:
        """Register a release and return the digest of its manifest; no image is made beside it."""
        spec = self.spec(self.register(release, **changes), release, score)
        return asyncio.run(self.images._package(spec)).digest

    def package(self, release: str = RELEASE) -> str:
        """Take a release as far as its package and return the digest of its manifest."""
        spec = self.spec(self.register(release), release)
        asyncio.run(self.images.build(spec))
        return asyncio.run(self.images._package(spec)).digest

    def packaged(self, release: str = RELEASE) -> ImageReport:
        """Wait until the package is made, or is not."""
        self.double.ask("POST", "/settled")
        report = asyncio.run(self.images.find(PROJECT, release))
        assert report is not None
        return report

    def deploy(self, environment: str, release: str, image: str) -> str:
        """Ask for a deployment and return its slot."""
        slot = slot_name(release, environment)
        asyncio.run(self.hosting.deploy(slot, PROJECT, environment, release, image))
        return slot

    def stands(self, slot: str) -> Service:
        """Look until the slot has come up, or has not."""
        self.double.ask("POST", "/settled")
        service = asyncio.run(self.hosting.find(slot))
        assert service is not None
        return service


__all__ = ["COLUMNS", "LISTED", "OTHER", "PROJECT", "RELEASE", "SCHEMA", "SCORE", "Tiny", "digest", "tar"]
