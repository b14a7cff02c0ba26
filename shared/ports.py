"""Every Protocol the steps use: what the outside must be able to do, named by role.

The same contract suites in `tests/contracts` run on every implementation.
All calls are coroutines; an implementation that blocks does so in a thread.
A port raises `Unavailable` when the outside could not be asked, `NotFound` when what is named is not there.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from shared.release.audit import Prover
from shared.release.chain import Sign
from shared.release.config import Project
from shared.release.telling import Stands

JobKind = Literal["check", "train", "evaluate", "certify", "try"]
JobStatus = Literal["running", "completed", "failed", "cancelled", "lost"]
ServiceStatus = Literal["starting", "answering", "failed", "stopped"]


class Ledger(Protocol):
    """Append-only streams of bytes and create-once marks; shaped for append blobs.

    A stream is named like `release/<id>`, `project/<name>`, `environment/<project>/<environment>`.
    A position is a length in bytes.
    """

    async def read(self, stream: str, start: int = 0) -> bytes:
        """Return the bytes from position `start` to the end; empty when the stream does not exist."""
        ...

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append `lines` in one piece, durable on return, and return the new length.

        With `at`, raise `Conflict` unless the stream is exactly `at` bytes long (0: it must not exist yet).
        With None there is no condition: for rows that commute.
        """
        ...

    async def streams(self, prefix: str) -> list[str]:
        """List the names of streams; slow on blobs, for people and audits only, never to answer a trigger."""
        ...

    async def lengths(self, prefix: str) -> dict[str, int]:
        """Return the length of every stream whose name begins with `prefix`; slow on blobs, as `streams` is."""
        ...

    async def mark(self, name: str, content: bytes) -> bool:
        """Create a mark if it is absent; False when it is there already (its content is kept)."""
        ...

    async def unmark(self, name: str) -> None:
        """Remove a mark; removing an absent one is no error."""
        ...

    async def marks(self, prefix: str) -> list[tuple[str, bytes]]:
        """List marks with their contents, sorted by name."""
        ...


class Artifacts(Protocol):
    """Bytes named by their own SHA-256."""

    async def put(self, content: bytes) -> str:
        """Store and return `sha256:<64 hex>`; storing twice is storing once."""
        ...

    async def get(self, digest: str) -> bytes:
        """Return the bytes, verified against their name; `NotFound` when absent."""
        ...


class Place(Struct, frozen=True):
    """Where a commit stands in the configured repository."""

    on_branch: bool
    tip: str
    author: str = ""
    email: str = ""
    message: str = ""
    older_than: tuple[str, ...] = ()
    """Those of the commits asked about that have this commit as a strict ancestor."""


class Repository(Protocol):
    """The git repositories the operator configured; never an address that came with an event.

    A call raises `Blocked` when the git host wants another credential than the operator gave.
    """

    async def place(self, url: str, branch: str, commit: str, others: tuple[str, ...] = ()) -> Place:
        """Fetch the branch and say where `commit` stands; a commit that is not there is not `on_branch`."""
        ...

    async def snapshot(self, url: str, branch: str, commit: str, path: str) -> bytes:
        """Return the files below `path` at exactly `commit` as a deterministic tar.

        Regular files only: a link or a submodule raises `StepFailed` naming it.
        """
        ...

    async def same(self, url: str, commit: str, other: str, path: str, watch: tuple[str, ...]) -> bool:
        """Say whether `commit` has the same files as `other` below `path`, and the same that globs of `watch` match.

        Names, contents and modes count; nothing is read but trees. An empty `path` is the whole repository,
        unless there are globs: then they stand alone. `path` must be a folder in both.
        Not the same as `other`: a commit that does not come after it, or is not there.
        """
        ...

    async def tip(self, url: str, branch: str) -> str | None:
        """Return the commit the branch names now, None when there is no such branch."""
        ...


class Blob(Struct, frozen=True, order=True):
    """One blob of a data version; `etag` without quotes, `size` in bytes."""

    container: str
    name: str
    size: int
    etag: str


class Target(Struct, frozen=True):
    """Where a job runs, when that is not this machine; what is empty is as the operator set it."""

    compute: str = ""
    """Name of a compute target of the workspace."""
    image: str = ""
    """Docker image below the environment."""
    conda: str = ""
    """Path of a conda file within the code, in place of the requirements."""
    hours: float = 0.0
    """What the run may take in all, building its environment too; 0: the job's seconds and an hour."""
    pipeline: str = ""
    """REST address of a published pipeline that does the work in place of our script."""


class JobSpec(Struct, frozen=True):
    """All a job needs; the same spec always means the same work."""

    name: str
    """Computed: `<release>-<step>-<round>`."""
    kind: JobKind
    project: str
    release: str
    step: str
    code: str
    """Artifact digest of the snapshot tar."""
    data: tuple[Blob, ...]
    inputs: Mapping[str, str]
    """Name to reference: `job:<job name>/<path below its outputs>`, `version:<model name>:<number>` in the model
    registry, or `image:<sha256 digest>`."""
    settings: str
    """JSON object the job's script reads; see `shared/jobs`."""
    requirements: str
    """Path of the requirements file within the code."""
    seconds: int
    """Deadline of the work itself; building the environment comes before it."""
    target: Target = Target()


class JobReport(Struct, frozen=True):
    """What is known of a job.

    `lost`: its process is gone without a result, and submitting it again restarts it.
    Compute that ends such a job itself never says so: there it failed.
    """

    status: JobStatus
    seconds: float = 0.0
    reason: str = ""
    """One sentence when it failed, was cancelled or was lost."""
    advice: str = ""
    """What to do next, when it failed."""
    result: str = "{}"
    """JSON object the job wrote, when it completed."""


class Jobs(Protocol):
    """Compute. A job's end is told by RunCompleted or RunStatusChanged; these calls never wait for it."""

    async def find(self, name: str) -> JobReport | None:
        """Look a job up by its name; None when none was submitted under it."""
        ...

    async def submit(self, spec: JobSpec) -> None:
        """Start the job unless one of that name exists, however it ended; one that is `lost` is started again.

        `StepFailed` when it is refused at once.
        """
        ...

    async def cancel(self, name: str) -> None:
        """Stop it if it runs, and let nobody start it again if it is `lost`; an ended or absent one is no error.

        That it ended may be known only later.
        """
        ...

    async def log(self, name: str) -> str:
        """Return the captured output; `NotFound` when there is no such job."""
        ...


class ModelVersion(Struct, frozen=True):
    """One version in the model registry. `digest` is the digest of its files as the training job gave it.

    `release` is the release that made it. One that others registered has any release or none, and may have no digest.
    """

    name: str
    number: int
    digest: str
    release: str


class Registry(Protocol):
    """The model registry. A new version raises ModelRegistered."""

    async def find(self, name: str, release: str) -> list[ModelVersion]:
        """Return the versions whose property `release` is this, oldest first."""
        ...

    async def version(self, name: str, number: int) -> ModelVersion | None:
        """Look one version up, whoever registered it; an event waits for the answer, so that no file is read for it."""
        ...

    async def register(self, name: str, release: str, source: str, properties: Mapping[str, str]) -> None:
        """Make one version from `source` (`job:<name>/<path>`); nothing when this release has one.

        `StepFailed` when the job left no such files.
        """
        ...


class ImageSpec(Struct, frozen=True):
    """What goes into an image."""

    project: str
    release: str
    version: int
    code: str
    model: str
    """`job:<training job>/model`, or `version:<name>:<number>` when others registered it."""
    requirements: str
    entry: str
    """The project's scoring script, a path within the code."""
    schema: str
    """JSON of the input schema the entry enforces."""
    provenance: Mapping[str, str]


class ImageReport(Struct, frozen=True):
    """`digest` names what is deployed, `sha256:...`; empty until it is pushed.

    It is the manifest's of the image, or, where a platform builds what it deploys, that of a package manifest:
    then `deploys` says what the manifest names, such as model, environment and source.
    """

    status: Literal["building", "pushed", "failed", "lost"]
    digest: str = ""
    seconds: float = 0.0
    size: int = 0
    """Bytes of the layers that were new with this image."""
    reason: str = ""
    """Why it failed or was lost."""
    advice: str = ""
    """What to do next, when it failed."""
    deploys: Mapping[str, str] = {}


class Images(Protocol):
    """The image registry and its builder. A push raises ImagePushed."""

    async def find(self, project: str, release: str) -> ImageReport | None:
        """Look the image of a release up by its tag; None when none was asked for."""
        ...

    async def build(self, spec: ImageSpec) -> None:
        """Start building and pushing `<project>:<release>` unless that is done, failed or under way.

        What is `lost` is built again. `StepFailed` when it is seen at once that it cannot be built.
        """
        ...


class Service(Struct, frozen=True):
    """A slot and what runs in it. `log` is what its code raised last, or the tail of its output when it failed."""

    slot: str
    status: ServiceStatus
    image: str = ""
    url: str = ""
    seconds: float = 0.0
    log: str = ""


class Seen(Struct, frozen=True):
    """What the stable address of an environment answered with."""

    release: str
    generation: int


class Hosting(Protocol):
    """Where models serve. A slot that answers for the first time raises ModelDeployed; a failure raises nothing."""

    async def find(self, slot: str) -> Service | None:
        """Look a slot up by its name; None when nothing was deployed there, or when it was taken away."""
        ...

    async def deploy(self, slot: str, project: str, environment: str, release: str, image: str) -> None:
        """Create the slot running exactly this image digest; create-only, a repeat is no error.

        What failed or was stopped is started again; `Unavailable` while its remains are taken away.
        `Conflict` when the slot is there with another image: nothing is started then.
        """
        ...

    async def stop(self, slot: str) -> None:
        """Stop what runs in the slot, which is certain on return; an absent one is no error.

        `Unavailable` where a platform keeps what its stable address answers from.
        """
        ...

    async def point(self, project: str, environment: str, slot: str, release: str, generation: int) -> None:
        """Let the stable address answer from the slot; an older generation than the present one changes nothing.

        It is decided already, so a slot that is not there or does not answer is `Unavailable`: it is pointed to again.
        """
        ...

    async def seen(self, project: str, environment: str) -> Seen | None:
        """Ask the stable address who answers; None while nothing does."""
        ...

    def address(self, project: str, environment: str) -> str:
        """Return the stable scoring URL of an environment; empty where that has none.

        Before it was first asked it may be another name of the same address.
        """
        ...


class Notifier(Protocol):
    """Tells people. `name` makes a notice unique: the same name twice is told once."""

    async def notify(self, name: str, to: str, subject: str, text: str) -> None:
        """Send one message to one person."""
        ...


class Statuses(Protocol):
    """How steps stand, said at a commit on the git host of a project that the operator configured for it."""

    async def post(self, project: str, commit: str, context: str, state: Stands, sentence: str, link: str) -> None:
        """Say it; a repeat says the same again, and the newest one of a context counts.

        Raises `Unavailable`, or `Blocked` when a repeat would be of no use.
        """
        ...


class Channels(Protocol):
    """Where teams and people are told what happened; a repeat may be seen twice."""

    mails: bool
    """Whether `mail` reaches anybody, as the operator set it."""

    async def send(self, channel: str, subject: str, text: str) -> None:
        """Send to the channel whose address is in the secret of this name; raises `Unavailable`."""
        ...

    async def mail(self, person: str, subject: str, text: str) -> None:
        """Send to the e-mail address of one person; raises `Unavailable`."""
        ...


class Letters(Protocol):
    """Events that Event Grid gave up, one blob each, in the container `signalbox-dead-letter`."""

    async def waiting(self, most: int) -> list[tuple[str, bytes]]:
        """Return names and contents of at most `most` letters, sorted by name."""
        ...

    async def forget(self, name: str) -> None:
        """Remove a letter; removing an absent one is no error."""
        ...


class Checkpoints(Protocol):
    """A second place, out of reach of whoever can write the ledger; what is there is never changed."""

    async def names(self) -> list[str]:
        """List what is there, sorted."""
        ...

    async def get(self, name: str) -> bytes:
        """Return one; `NotFound` when it is not there."""
        ...

    async def put(self, name: str, content: bytes) -> bool:
        """Create one, durable on return; False when the name is taken (what is there stays)."""
        ...


class Outside(Struct, frozen=True):
    """Everything a step may reach, and what the operator decided; built once by `wiring`."""

    ledger: Ledger
    artifacts: Artifacts
    repository: Repository
    jobs: Jobs
    registry: Registry
    images: Images
    hosting: Hosting
    notifier: Notifier
    statuses: Statuses
    channels: Channels
    letters: Letters
    projects: Mapping[str, Project]
    clock: Callable[[], datetime]
    approval_key: bytes
    public_url: str
    """Base address of this app as people reach it, without a slash at the end."""
    sign: Sign | None = None
    """Signs the ledger's lines, where the operator gave a key."""
    prover: Prover | None = None
    """Proves what was signed, by this key or an earlier one."""
    checkpoints: Checkpoints | None = None
    """The second place in which the heads of all streams are kept, where the operator named one."""

    def __repr__(self) -> str:
        """Say whose it is, and not with which keys: what is shown may be logged."""
        return f"Outside({self.public_url}, projects {', '.join(self.projects)})"
