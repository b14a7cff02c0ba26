"""Wiring: settings and backends made into one controller, lazily, because an import must cost nothing."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import asdict

from shared import settings
from shared.control import Answer, Control, within
from shared.control import answered as at_the_edge
from shared.errors import Misconfigured
from shared.ports import (
    Artifacts,
    Checkpoints,
    Hosting,
    Images,
    Jobs,
    Ledger,
    Letters,
    Notifier,
    Outside,
    Registry,
    Statuses,
)
from shared.release.audit import Prover
from shared.release.chain import Sign
from shared.settings import AzureSettings, Settings


class Wired(Struct, frozen=True):
    """The controller and the settings it was built from; `stamp` is the age of `projects.toml` then."""

    control: Control
    settings: Settings
    stamp: int


_wired: list[Wired] = []
# One dictionary for the life of the process: a controller that is built anew must not forget who is at work.
_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


def wired() -> Wired:
    """Return the controller, built anew when `projects.toml` changed; `Misconfigured` names what is missing."""
    if _wired and _stamp(_wired[0].settings) == _wired[0].stamp:
        return _wired[0]
    read = settings.read()
    built = Wired(Control.over(_outside(read), read.event_seconds, read.branch_minutes, _locks), read, _stamp(read))
    _wired[:] = [built]
    return built


async def answered(work: Coroutine[Any, Any, Answer], *, keyed: bool = False, **keys: str) -> Answer:
    """Return what answers a request: of the work within its setting, or of the error it ends by."""
    return await at_the_edge(_within_its_setting(work), keyed=keyed, **keys)


async def _within_its_setting(work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        seconds = wired().settings.http_seconds
    except Misconfigured:
        work.close()
        raise
    return await within(seconds, work)


def use(built: Wired) -> None:
    """Let this process use a controller that was built elsewhere, over another outside."""
    _wired[:] = [built]


def forget() -> None:
    """Let the next call build the controller anew."""
    _wired.clear()


def control() -> Control:
    """Return the controller of this process."""
    return wired().control


def _stamp(read: Settings) -> int:
    try:
        return read.projects_file.stat().st_mtime_ns
    except OSError:
        return 0


def now() -> datetime:
    """Return the time that people read, in UTC."""
    return datetime.now(UTC)


def kept(storage: str, state: Path) -> tuple[Ledger, Artifacts, Letters]:
    """Return where facts, artifacts and dead letters are kept."""
    if storage:
        from shared.backends.blobs import Account, BlobArtifacts, BlobLedger, BlobLetters

        account = Account(storage)
        return BlobLedger(account), BlobArtifacts(account), BlobLetters(account)
    from shared.backends.local.artifacts import FileArtifacts
    from shared.backends.local.ledger import SqliteLedger
    from shared.backends.local.letters import FileLetters

    return SqliteLedger(state), FileArtifacts(state), FileLetters(state)


def second_place(named: str) -> Checkpoints | None:
    """Return the place that the setting CHECKPOINTS names."""
    if not named:
        return None
    if ";" in named or named.startswith(("https://", "http://")):
        from shared.backends.blobs.checkpoints import BlobCheckpoints

        return BlobCheckpoints.named(named)
    from shared.backends.local.checkpoints import FolderCheckpoints

    return FolderCheckpoints(Path(named))


def _keys(read: Settings) -> tuple[Sign | None, Prover | None]:
    if not read.audit_key:
        return None, None
    from shared.backends import signing

    signer = signing.Signer(read.audit_key)
    return signer, signing.Prover.of(signer, read.audit_public_keys)


def _outside(read: Settings) -> Outside:
    from shared.backends.channels import AppriseChannels
    from shared.backends.local.repository import Credential, GitRepository

    credentials = {url: Credential(name, value) for url, name, value in read.credentials}
    sign, prover = _keys(read)
    ledger, artifacts, letters = kept(read.storage, read.state)
    work = _azure(read, read.azure, ledger, artifacts) if read.azure else _local(read)
    return Outside(
        ledger=ledger,
        artifacts=artifacts,
        repository=GitRepository(read.state, credentials),
        jobs=work.jobs,
        registry=work.registry,
        images=work.images,
        hosting=work.hosting,
        notifier=work.notifier,
        statuses=_statuses(read),
        channels=AppriseChannels(dict(read.channels), read.mail),
        letters=letters,
        projects=read.projects.projects,
        clock=now,
        approval_key=read.approval_key,
        public_url=read.public_url,
        sign=sign,
        prover=prover,
        checkpoints=second_place(read.checkpoints),
    )


def _statuses(read: Settings) -> Statuses:
    from shared.backends.statuses import Account, HostStatuses

    entries = read.projects.projects
    accounts: dict[str, Account] = {}
    for project, secret, token in read.statuses:
        entry = entries[project]
        if entry.tell and entry.tell.statuses:
            accounts[project] = Account(entry.tell.statuses, entry.repository, secret, token)
    return HostStatuses(accounts)


class _Work(Struct, frozen=True):
    """The ports behind which the work is done; the others only keep and read."""

    jobs: Jobs
    registry: Registry
    images: Images
    hosting: Hosting
    notifier: Notifier


def _local(read: Settings) -> _Work:
    from shared.backends.local.images import LocalImages
    from shared.backends.local.jobs import LocalJobs
    from shared.backends.local.notifier import OutboxNotifier
    from shared.backends.local.registry import LocalRegistry
    from shared.backends.local.services import LocalHosting

    state = read.state
    return _Work(
        jobs=LocalJobs(state),
        registry=LocalRegistry(state),
        images=LocalImages(state),
        hosting=LocalHosting(state, read.live_url),
        notifier=OutboxNotifier(state),
    )


def _azure(read: Settings, named: AzureSettings, ledger: Ledger, artifacts: Artifacts) -> _Work:
    from shared.backends.azure.environments import Environments
    from shared.backends.azure.grid import GridNotifier, Topic
    from shared.backends.azure.hosting import AzureHosting
    from shared.backends.azure.packaging import AzureImages
    from shared.backends.azure.registry import AzureRegistry
    from shared.backends.azure.runs import AzureJobs
    from shared.backends.azure.scope import Scope
    from shared.backends.azure.workspace import Azure

    azure = Azure(Scope(**asdict(named)))
    return _Work(
        jobs=AzureJobs(azure, artifacts, Environments(azure)),
        registry=AzureRegistry(azure),
        images=AzureImages(azure, ledger, artifacts),
        hosting=AzureHosting(azure, artifacts),
        notifier=GridNotifier(Topic(read.topic_endpoint, read.topic_key, azure)),
    )
