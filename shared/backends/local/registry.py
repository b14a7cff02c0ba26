"""The model registry of one machine: versions in SQLite, their files in folders that are never written again."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from shared.backends.local import trees
from shared.backends.local.durable import locked, sync_folder, sync_tree
from shared.backends.local.events import model_registered, publish_detached
from shared.backends.local.jobs import report
from shared.backends.local.workspace import NAME, job_output
from shared.errors import StepFailed, Unavailable
from shared.ports import ModelVersion

SCHEMA = """
create table if not exists versions (
    name text not null, number integer not null, release text not null, digest text not null,
    properties text not null, unique (name, number), unique (name, release))
"""


class LocalRegistry:
    """`Registry` in `<state>/registry.db` and `<state>/models/<name>/<number>/`."""

    def __init__(self, state: Path) -> None:
        self._state = state

    async def find(self, name: str, release: str) -> list[ModelVersion]:
        """Return the versions that this release made, oldest first."""
        return await asyncio.to_thread(self._find, name, release)

    async def version(self, name: str, number: int) -> ModelVersion | None:
        """Return one version, whoever registered it."""
        return await asyncio.to_thread(self._version, name, number)

    async def register(self, name: str, release: str, source: str, properties: Mapping[str, str]) -> None:
        """Make one version; raises ModelRegistered.

        `StepFailed` when the files are not those the training job ended with.
        """
        await asyncio.to_thread(self._register, name, release, source, properties)

    def _find(self, name: str, release: str) -> list[ModelVersion]:
        query = "select name, number, digest, release from versions where name = ? and release = ? order by number"
        with self._database() as database:
            return [ModelVersion(*row) for row in database.execute(query, (name, release))]

    def _version(self, name: str, number: int) -> ModelVersion | None:
        query = "select name, number, digest, release from versions where name = ? and number = ?"
        with self._database() as database:
            row = database.execute(query, (name, number)).fetchone()
        return ModelVersion(*row) if row else None

    def files_of(self, name: str, number: int) -> tuple[Path, str]:
        """Return the folder of a version and its digest; `StepFailed` when it is not what was registered."""
        version, folder = self._version(name, number), self._state / "models" / name / str(number)
        if version is None:
            raise StepFailed(f"the model registry has no version {number} of {name}", "register it again")
        digest = trees.folder_digest(folder)
        if digest != version.digest:
            reason = f"the files of version {number} of {name} are {digest} now, but were {version.digest}"
            raise StepFailed(reason, "somebody changed them since they were registered: register them again")
        return folder, digest

    def _register(self, name: str, release: str, source: str, properties: Mapping[str, str]) -> None:
        if not NAME.fullmatch(name):
            raise StepFailed(f"{name!r} is not the name of a model", "use letters, digits, dots, dashes")
        models = self._state / "models" / name
        with locked(models.with_suffix(".lock")):
            if self._find(name, release):
                return
            folder, digest = model_source(self._state, source)
            number = self._next(name)
            _keep(folder, models / str(number), digest)
            row = (name, number, release, digest, msgspec.json.encode(dict(properties)).decode())
            with self._database() as database:
                database.execute("insert into versions values (?, ?, ?, ?, ?)", row)
        event = model_registered(name, number, {**properties, "release": release})
        publish_detached(event, self._state / "registry.log")

    def _next(self, name: str) -> int:
        with self._database() as database:
            row = database.execute("select max(number) from versions where name = ?", (name,)).fetchone()
        return int(row[0] or 0) + 1

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._state / "registry.db"
        try:
            with closing(sqlite3.connect(path, timeout=30.0)) as database, database:
                database.execute("pragma synchronous = full")
                database.execute(SCHEMA)
                yield database
        except sqlite3.OperationalError as error:
            raise Unavailable(f"the model registry {path.name} could not be used: {error}") from error


def model_source(state: Path, reference: str) -> tuple[Path, str]:
    """Return the folder that `job:<name>/<path>` or `version:<name>:<number>` names, and its digest.

    `StepFailed` when the files are not there, or were changed since the job ended or they were registered.
    """
    if reference.startswith("version:"):
        name, _, number = reference.removeprefix("version:").rpartition(":")
        return LocalRegistry(state).files_of(name, int(number))
    job = reference.removeprefix("job:")
    folder = job_output(state, job)
    digest = trees.folder_digest(folder)
    name = job.partition("/")[0]
    ended = report(state, name)
    result = msgspec.json.decode(ended.result) if ended is not None else {}
    told = (result.get("model") or {}).get("digest", digest)
    if told != digest:
        reason = f"the model files of job {name} are {digest} now, but were {told} when it ended"
        raise StepFailed(reason, "somebody changed them: open the release again to train anew")
    return folder, digest


def _keep(source: Path, target: Path, digest: str) -> None:
    """Copy a model durably; what a crash left at its number before has no row and goes."""
    shutil.rmtree(target, ignore_errors=True)
    temporary = target.with_name(f".new-{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    trees.copy(source, temporary)
    if trees.folder_digest(temporary) != digest:
        raise StepFailed("the model files changed while they were copied", "nothing should write to a job's outputs")
    sync_tree(temporary)
    temporary.rename(target)
    sync_folder(target.parent)
