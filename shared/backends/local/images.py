"""The image registry of one machine: an OCI image layout a project, each image tagged with its release."""

import asyncio
from pathlib import Path

import msgspec
from msgspec import Struct

from shared.backends.local import works
from shared.backends.local.jobs import SCRIPTS
from shared.backends.local.oci import Layout
from shared.backends.local.workspace import NAME
from shared.errors import StepFailed
from shared.ports import ImageReport, ImageSpec


class Order(Struct, frozen=True):
    """What is kept of a build: its spec, and where the serving files and our requirements are."""

    spec: ImageSpec
    scripts: str


class LocalImages:
    """`Images` in `<state>/images/<project>`; builds are processes of their own in `<state>/builds`."""

    def __init__(self, state: Path, scripts: Path = SCRIPTS) -> None:
        self._state, self._scripts = state.absolute(), scripts.absolute()

    async def find(self, project: str, release: str) -> ImageReport | None:
        """Look the image of a release up by its tag."""
        return await asyncio.to_thread(self._find, project, release)

    async def build(self, spec: ImageSpec) -> None:
        """Start building and tagging unless that exists or is under way; raises ImagePushed."""
        await asyncio.to_thread(self._build, spec)

    def _find(self, project: str, release: str) -> ImageReport | None:
        folder = build_folder(self._state, project, release)
        state = works.state_of(folder)
        if state == "ended":
            return msgspec.json.decode((folder / "status.json").read_bytes(), type=ImageReport)
        if state == "running":
            return ImageReport("building")
        tagged = Layout(self._state / "images" / project).tagged(release)
        if tagged is not None:
            return ImageReport("pushed", tagged.digest)
        return (
            ImageReport("lost", reason=f"the process that built {project}:{release} is gone")
            if state == "lost"
            else None
        )

    def _build(self, spec: ImageSpec) -> None:
        folder = build_folder(self._state, spec.project, spec.release)
        content = msgspec.json.encode(Order(spec, str(self._scripts)))
        module = "shared.backends.local.builder"
        works.start(folder, content, ["-m", module, str(self._state), spec.project, spec.release])


def build_folder(state: Path, project: str, release: str) -> Path:
    """Return where the build of an image keeps its records; `StepFailed` for names that are no plain names."""
    if not (NAME.fullmatch(project) and NAME.fullmatch(release)):
        raise StepFailed(f"{project}:{release} is not the name of an image", "names are <project>:<release>")
    return state / "builds" / project / release
