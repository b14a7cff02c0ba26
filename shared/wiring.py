"""Wiring: settings and backends made into one controller, lazily, because an import must cost nothing."""

import asyncio
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from msgspec import Struct

from shared import settings
from shared.control import Control
from shared.ports import Artifacts, Ledger, Letters, Outside
from shared.settings import Settings


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
    built = Wired(Control.over(_local(read), _locks), read, _stamp(read))
    _wired[:] = [built]
    return built


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


def _kept(read: Settings) -> tuple[Ledger, Artifacts, Letters]:
    if read.storage:
        from shared.backends.blobs import Account, BlobArtifacts, BlobLedger, BlobLetters

        account = Account(read.storage)
        return BlobLedger(account), BlobArtifacts(account), BlobLetters(account)
    from shared.backends.local.artifacts import FileArtifacts
    from shared.backends.local.ledger import SqliteLedger
    from shared.backends.local.letters import FileLetters

    return SqliteLedger(read.state), FileArtifacts(read.state), FileLetters(read.state)


def _local(read: Settings) -> Outside:
    from shared.backends.local.images import LocalImages
    from shared.backends.local.jobs import LocalJobs
    from shared.backends.local.notifier import OutboxNotifier
    from shared.backends.local.registry import LocalRegistry
    from shared.backends.local.repository import Credential, GitRepository
    from shared.backends.local.services import LocalHosting

    state = read.state
    credentials = {url: Credential(name, value) for url, name, value in read.credentials}
    ledger, artifacts, letters = _kept(read)
    return Outside(
        ledger=ledger,
        artifacts=artifacts,
        repository=GitRepository(state, credentials),
        jobs=LocalJobs(state),
        registry=LocalRegistry(state),
        images=LocalImages(state),
        hosting=LocalHosting(state, read.live_url),
        notifier=OutboxNotifier(state),
        letters=letters,
        projects=read.projects.projects,
        clock=now,
        approval_key=read.approval_key,
        public_url=read.public_url,
    )
