"""Packages: the manifest that is approved and deployed, and beside it an image in the workspace's registry.

The image is a portable copy of what the manifest names, never what is deployed. What is under way is found again by a
mark of the ledger, because the service lists no packages. A lost answer may build the same tag again, nothing else.
"""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared.backends.azure import history
from shared.backends.azure.manifest import Manifest, Package, fetch, source
from shared.backends.azure.material import material
from shared.backends.azure.workspace import Azure
from shared.backends.local.processes import ROOT
from shared.errors import NotFound, SignalboxError, StepFailed, Unavailable
from shared.ports import Artifacts, ImageReport, ImageSpec, Ledger
from shared.release.ids import canonical, run_name, sha256

SERVING = ROOT / "shared" / "jobs" / "serving"
LISTED = "outputs/environment.txt"
"""Where a run of ours leaves the list of the packages it ran with."""
GOES_ON = {"NotStarted", "Running"}
TAIL_LINES, TAIL = 12, 900
REMEMBERED = 256
"""Marks that a process remembers, the newest."""
ADVICE = {
    "registry": "See that the container registry of the workspace can be reached and is not full, then push again",
    "build": "Correct the requirements or the base image, then push again",
}


class Begun(Struct, frozen=True):
    """What the mark of a package holds: the operation that makes the image, and the digest of the manifest."""

    operation: str
    manifest: str


class Trained(Struct, frozen=True):
    """What a package needs of a run of ours: its environment, and the list of the packages in it."""

    environment: str
    version: str
    packages: bytes


class AzureImages:
    """`Images` over one workspace, a ledger and an artifact store."""

    def __init__(self, azure: Azure, ledger: Ledger, artifacts: Artifacts, serving: Path = SERVING) -> None:
        self._azure, self._ledger, self._artifacts, self._serving = azure, ledger, artifacts, serving
        self._state = azure.scope.state / "packages"
        # What was seen last: a mark is made anew only after its operation was forgotten, and then it is read again.
        self._known: dict[str, Begun] = {}

    async def find(self, project: str, release: str) -> ImageReport | None:
        """Look at the operation that was marked; `lost` when the service knows nothing of it any more."""
        name = _mark(project, release)
        remembered = self._known.get(name)
        begun = remembered or await self._begun(name)
        if begun is None:
            return None
        try:
            report = await self._azure.do(f"the package {project}:{release}", self._look, begun)
        except NotFound as error:
            if remembered and await self._begun(name) != remembered:
                # Another process began anew.
                return await self.find(project, release)
            return ImageReport("lost", reason=f"the package of {project}:{release} was forgotten: {error}")
        if report.status != "pushed":
            return report
        manifest = msgspec.json.decode(await self._artifacts.get(begun.manifest), type=Manifest)
        return msgspec.structs.replace(report, digest=begun.manifest, deploys=manifest.deploys())

    async def build(self, spec: ImageSpec) -> None:
        """Write the manifest and begin with the image, unless that is under way or done; raises ImagePushed."""
        name = _mark(spec.project, spec.release)
        if name in self._known:
            if await self._stands(spec):
                return
            await self._forget(name)
        package = await self._package(spec)
        operation = await self._azure.do(f"a package {spec.project}:{spec.release}", self._begin, package)
        begun = Begun(operation, package.digest)
        # Whether another process began it the mark itself says: to look first would cost each release a request.
        while not await self._ledger.mark(name, canonical(msgspec.to_builtins(begun))):
            if await self._stands(spec):
                return
            await self._forget(name)
        self._remember(name, begun)

    async def _stands(self, spec: ImageSpec) -> bool:
        report = await self.find(spec.project, spec.release)
        return report is not None and report.status != "lost"

    async def _begun(self, name: str) -> Begun | None:
        self._known.pop(name, None)
        found = [content for marked, content in await self._ledger.marks(name) if marked == name]
        if not found:
            return None
        self._remember(name, msgspec.json.decode(found[0], type=Begun))
        return self._known[name]

    async def _forget(self, name: str) -> None:
        self._known.pop(name, None)
        await self._ledger.unmark(name)

    def _remember(self, name: str, begun: Begun) -> None:
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[name] = begun

    async def _listed(self, packages: bytes) -> str:
        """Keep the list of an environment: it is mostly that of the release before, and known to be there."""
        try:
            await self._artifacts.get(sha256(packages))
        except (NotFound, Unavailable):
            return await self._artifacts.put(packages)
        return sha256(packages)

    async def _package(self, spec: ImageSpec) -> Package:
        ran = _runs(spec)
        trained = await self._azure.do(f"the run {ran[0]}", self._trained, ran)
        lock = spec.provenance.get("lock", "")
        if lock and sha256(trained.packages) != lock:
            reason = f"the model was trained with the packages {sha256(trained.packages)}, checked was {lock}"
            raise StepFailed(reason, "What was not checked is not packaged: open the release again")
        content = source(spec, await self._artifacts.get(spec.code), self._serving)
        manifest = Manifest(
            project=spec.project,
            release=spec.release,
            model=spec.model.split(":")[1] if spec.model.startswith("version:") else spec.project,
            version=spec.version,
            digest=spec.provenance["model"],
            environment=trained.environment,
            environment_version=trained.version,
            source=await self._artifacts.put(content),
            code=spec.code,
            entry=spec.entry,
            schema=spec.schema,
            requirements=await self._listed(trained.packages),
        )
        return await fetch(self._artifacts, await self._artifacts.put(manifest.encoded()))

    def _trained(self, workspace: Any, ran: tuple[str, ...]) -> Trained:
        run = next((run for name in ran if (run := history.run(self._azure, name))), None)
        if run is None:
            raise StepFailed(f"there is no run {ran[0]} whose environment could serve", "Open the release again")
        environment = run.get_environment()
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._state) as place:
            listed = Path(place) / "environment.txt"
            run.download_file(LISTED, str(listed))
            return Trained(environment.name, environment.version, listed.read_bytes())

    def _begin(self, workspace: Any, package: Package) -> str:
        from azureml.core import Model

        its = package.manifest
        with material(self._azure, package, self._state) as its_material:
            begun = Model.package(
                workspace,
                [its_material.model],
                its_material.inference,
                image_name=its.project.lower(),
                image_label=its.release,
            )
        return str(begun._operation_id)

    def _look(self, workspace: Any, begun: Begun) -> ImageReport:
        from azureml.core.model import ModelPackage

        package = ModelPackage(workspace, begun.operation, None)
        if package.state in GOES_ON:
            return ImageReport("building")
        if package.state == "Succeeded":
            return ImageReport("pushed")
        told = package.error or {}
        words = ": ".join(filter(None, [str(told.get("code") or ""), str(told.get("message") or package.state)]))
        tail = self._tail(package)
        reason = f"the image could not be made: {words}" + (f"; its log ends: {tail}" if tail else "")
        return ImageReport(
            "failed", reason=reason, advice=ADVICE["registry" if "registry" in words.lower() else "build"]
        )

    def _tail(self, package: Any) -> str:
        try:
            text = self._azure.ask("the log of a package", package.get_logs)
        except SignalboxError as error:
            # The failure is told in any case; its log is a help.
            return f"(it could not be read: {type(error).__name__})"
        return " | ".join(text.split("\n")[-TAIL_LINES:])[-TAIL:].strip(" |")


def _runs(spec: ImageSpec) -> tuple[str, ...]:
    """Return the runs in whose environment a model may serve, the best first.

    A published pipeline trains in what we do not know, and so does whoever else registers: then it is the check's.
    """
    checked = run_name(spec.provenance.get("checked_by", spec.release), "check", 1)
    if spec.model.startswith("version:"):
        return (checked,)
    return spec.model.removeprefix("job:").partition("/")[0], checked


def _mark(project: str, release: str) -> str:
    return f"package/{project}/{release}"
