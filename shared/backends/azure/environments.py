"""Environments: one for each set of requirements and base image, registered when it is not there yet.

Its name holds the digest of all that goes into it, so one that is there is the right one. Two processes that register
it at the same moment may make two versions: they are of the same content, and it does not matter which one is used.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from shared.backends import requirements
from shared.backends.azure.workspace import Azure
from shared.errors import NotFound, StepFailed

PYTHON = "3.11"
"""Of environments that a requirements file describes; a conda file names its own."""
LAYOUT = "1"
"""Changed with how an environment is made of what is given, so that an older one is never taken for it."""


class Recipe(Struct, frozen=True):
    """What an environment is made of."""

    project: str
    image: str
    """The base docker image; empty: the one that the SDK names."""
    packages: tuple[str, ...]
    """Lines for pip: the project's, then ours."""
    conda: str = ""
    """The text of the project's conda file; empty: the packages alone."""

    @property
    def digest(self) -> str:
        """Return the SHA-256, in hex, of all that goes into it."""
        parts = [LAYOUT, PYTHON, self.image, self.conda, *self.packages]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def name(self) -> str:
        """Return the name it is registered under."""
        return f"signalbox-{self.project}-{self.digest[:12]}"


def recipe(project: str, code: Path, wanted: str, conda: str, image: str, ours: Sequence[str]) -> Recipe:
    """Return what the files of a code folder ask for.

    `wanted` and `conda` are paths within it, either may be empty; with a conda file, the requirements are left out.
    `ours` are texts of requirements files.
    """
    told = _conda(code, conda) if conda else ""
    texts = [*([] if conda else [requirements.read(code, wanted)]), *ours]
    return Recipe(project, image, tuple(line for text in texts for _, line in requirements.lines(text)), told)


def _conda(code: Path, path: str) -> str:
    at = (code / path).resolve()
    if not at.is_relative_to(code.resolve()):
        raise StepFailed(f"conda = {path!r} is not a path within the project", "name a file of it")
    try:
        return at.read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        advice = f"commit {path}, or name the file you have in signalbox.toml"
        raise StepFailed(f"there is no file {path} at this commit", advice) from None
    except UnicodeDecodeError:
        raise StepFailed(f"{path} is not UTF-8 text", "save it as UTF-8 and push again") from None


class Environments:
    """The workspace's environments; what was seen once is not asked for again, for nothing of it ever changes."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._seen: dict[str, Any] = {}

    def find(self, name: str, version: str | None = None) -> Any:
        """Return the SDK's Environment, None when it is not registered; call it in a guarded thread."""
        from azureml.core import Environment

        try:
            return self._azure.ask(
                f"the environment {name}", lambda: Environment.get(self._azure.workspace(), name, version)
            )
        except NotFound:
            return None

    def ensure(self, wanted: Recipe) -> Any:
        """Return the SDK's Environment of a recipe, registering it at its first use; call it in a guarded thread."""
        kept = self._seen.get(wanted.name) or self.find(wanted.name) or self._register(wanted)
        self._seen[wanted.name] = kept
        return kept

    def _register(self, wanted: Recipe) -> Any:
        made = described(wanted)
        return self._azure.ask(f"the environment {wanted.name}", lambda: made.register(self._azure.workspace()))


def described(wanted: Recipe) -> Any:
    """Return the SDK's Environment as it would be registered; nothing is asked."""
    from azureml.core import Environment

    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as told:
        # Every JSON is YAML.
        json.dump(_dependencies(wanted), told)
        told.flush()
        made = Environment.from_conda_specification(wanted.name, told.name)
    if wanted.image:
        made.docker.base_image = wanted.image
    # The SDK sets an example of its own otherwise.
    made.environment_variables = {}
    return made


def _dependencies(wanted: Recipe) -> dict[str, Any]:
    whole = _read_conda(wanted.conda) if wanted.conda else {"channels": ["conda-forge"], "dependencies": []}
    listed = list(whole.get("dependencies") or [])
    pip = [line for each in listed if isinstance(each, dict) for line in each.get("pip") or []]
    plain = [each for each in listed if not isinstance(each, dict)]
    if not any(str(each).startswith("python") for each in plain):
        plain = [f"python={PYTHON}", *plain]
    if "pip" not in plain:
        plain.append("pip")
    # Both lists count: where the project and we name the same package, pip looks for a version that suits both.
    return whole | {"name": "signalbox", "dependencies": [*plain, {"pip": [*pip, *wanted.packages]}]}


def _read_conda(text: str) -> dict[str, Any]:
    from azureml.core.conda_dependencies import CondaDependencies

    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as told:
        told.write(text)
        told.flush()
        read: dict[str, Any] = CondaDependencies(told.name).as_dict()
    return read
