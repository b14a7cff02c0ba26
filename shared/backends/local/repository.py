"""Git repositories by dulwich alone: no git binary, no shell, no submodule and no link is ever followed.

Every configured repository has a bare mirror under `<state>/repos`; an event never brings an address of its own.
"""

import asyncio
import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from shared.backends.local import changes
from shared.backends.local.durable import locked
from shared.backends.local.history import is_ancestor
from shared.backends.local.snapshots import pack
from shared.errors import StepFailed
from shared.ports import Place

if TYPE_CHECKING:
    from dulwich.client import GitClient
    from dulwich.refs import Ref
    from dulwich.repo import Repo

LONGEST_MESSAGE = 2000


class Credential(Struct, frozen=True):
    """What a repository is read with: the name of a secret, and its value, `user:token` or only a token."""

    name: str
    value: str

    def __repr__(self) -> str:
        """Show the name alone."""
        return f"Credential({self.name!r})"


class GitRepository:
    """`Repository` over https, file:// and, on loopback only, http; safe across threads and processes.

    `credentials` are by the address as the operator wrote it.
    """

    def __init__(self, state: Path, credentials: Mapping[str, Credential] | None = None) -> None:
        self._folder = state / "repos"
        self._credentials = credentials or {}

    async def place(self, url: str, branch: str, commit: str, others: tuple[str, ...] = ()) -> Place:
        """Fetch the branch and say where `commit` (40 hex digits) stands."""
        return await asyncio.to_thread(self._place, url, branch, commit, others)

    async def snapshot(self, url: str, branch: str, commit: str, path: str) -> bytes:
        """Return the files below `path` at `commit` as a deterministic tar.

        `StepFailed` when the commit or the folder is not there, or when a link or a submodule is in it.
        """
        return await asyncio.to_thread(self._snapshot, url, branch, commit, path)

    async def same(self, url: str, commit: str, other: str, path: str, watch: tuple[str, ...]) -> bool:
        """Say whether `commit` is equal to `other`, which comes before it, below `path` and where `watch` matches."""
        return await asyncio.to_thread(self._same, url, commit, other, path, watch)

    async def tip(self, url: str, branch: str) -> str | None:
        """Return the commit the branch names now."""
        return await asyncio.to_thread(self._tip, url, branch)

    def _place(self, url: str, branch: str, commit: str, others: tuple[str, ...]) -> Place:
        with self._fetched(url, branch) as (repo, tip):
            if tip is None or not _has_commit(repo, commit) or not is_ancestor(repo, commit, tip):
                return Place(on_branch=False, tip=tip or "")
            author, email, message = _words(repo, commit)
            newer = (other for other in others if other != commit and _has_commit(repo, other))
            older_than = tuple(other for other in newer if is_ancestor(repo, commit, other))
            return Place(True, tip, author, email, message, older_than)

    def _snapshot(self, url: str, branch: str, commit: str, path: str) -> bytes:
        with self._mirror(url) as repo:
            if _has_commit(repo, commit):
                return pack(repo, commit, path)
        with self._fetched(url, branch) as (repo, _):
            if not _has_commit(repo, commit):
                where = f"branch {branch} of {shown(url)}"
                raise StepFailed(f"commit {commit} is not in {where}", "push it to that branch again")
            return pack(repo, commit, path)

    def _same(self, url: str, commit: str, other: str, path: str, watch: tuple[str, ...]) -> bool:
        with self._mirror(url) as repo:
            if not (_has_commit(repo, commit) and is_ancestor(repo, other, commit)):
                return False
            return changes.same(repo, commit, other, path, watch)

    def _tip(self, url: str, branch: str) -> str | None:
        from shared.backends.local.git_hosts import asking

        client, path = self._client(url)
        with asking(url):
            found = client.get_refs(path.encode()).refs.get(_head(branch))
        return found.decode() if found else None

    def _client(self, url: str) -> tuple["GitClient", str]:
        from shared.backends.local.git_hosts import client

        return client(url, self._credentials.get(url))

    @contextmanager
    def _mirror(self, url: str) -> Iterator["Repo"]:
        """Open the mirror of `url`, made at its first use."""
        from dulwich.repo import Repo

        folder = self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.git"
        with locked(folder.with_suffix(".lock"), seconds=120.0):
            if not (folder / "config").is_file():
                # What was killed while it made the mirror left a part of it, which is in the way of a whole one.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                Repo.init_bare(str(folder)).close()
        repo = Repo(str(folder))
        try:
            yield repo
        finally:
            repo.close()

    @contextmanager
    def _fetched(self, url: str, branch: str) -> Iterator[tuple["Repo", str | None]]:
        """Open the mirror with what `branch` has now; the tip is None when there is no such branch."""
        from shared.backends.local.git_hosts import asking

        client, path = self._client(url)
        with self._mirror(url) as repo:
            with locked(Path(repo.path).with_suffix(".lock"), seconds=120.0), asking(url):
                _unlock(Path(repo.path))
                tip = _fetch(client, path, repo, _head(branch))
            yield repo, tip


def _fetch(client: "GitClient", path: str, repo: "Repo", head: "Ref") -> str | None:
    def wanted(refs: Mapping[Any, Any], depth: int | None = None) -> list[Any]:
        found = refs.get(head)
        return [found] if found and found not in repo.object_store else []

    tip = client.fetch(path.encode(), repo, determine_wants=wanted).refs.get(head)
    if tip:
        # The negotiation of the next fetch starts from refs: without one everything would come again.
        repo.refs[head] = tip
    return tip.decode() if tip else None


def _unlock(mirror: Path) -> None:
    """Take away git's own locks of a fetch that was killed: whoever fetches into the mirror holds our lock on it."""
    for left in mirror.rglob("*.lock"):
        left.unlink(missing_ok=True)


def shown(url: str) -> str:
    """Return the address without what may be a password in it."""
    return re.sub(r"//[^/@]*@", "//", url)


def _head(branch: str) -> "Ref":
    from dulwich.refs import Ref

    return Ref(b"refs/heads/" + branch.removeprefix("refs/heads/").encode())


def _has_commit(repo: "Repo", commit: str) -> bool:
    from dulwich.objects import Commit

    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        return False
    try:
        return isinstance(repo[commit.encode()], Commit)
    except KeyError:
        return False


def _words(repo: "Repo", commit: str) -> tuple[str, str, str]:
    """Return the author's name, address and the message of a commit."""
    from dulwich.objects import Commit

    found = repo[commit.encode()]
    assert isinstance(found, Commit)
    author = found.author.decode("utf-8", "replace")
    name, _, email = author.partition(" <")
    message = found.message.decode("utf-8", "replace").strip()
    return name.strip(), email.rstrip("> "), message[:LONGEST_MESSAGE]
