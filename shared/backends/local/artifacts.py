"""The artifacts of one machine: one file each, named by its SHA-256."""

import asyncio
import hashlib
import re
from pathlib import Path

from shared.backends.local.durable import write_durably
from shared.errors import NotFound, Unavailable


class FileArtifacts:
    """`Artifacts` in `<state>/artifacts/sha256/<first two>/<hex>`."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "artifacts" / "sha256"

    async def put(self, content: bytes) -> str:
        """Store durably and return `sha256:<64 hex>`."""
        return await asyncio.to_thread(self.put_now, content)

    async def get(self, digest: str) -> bytes:
        """Return the bytes; `NotFound` when absent, `Unavailable` when the stored file was changed."""
        return await asyncio.to_thread(self.get_now, digest)

    def put_now(self, content: bytes) -> str:
        """`put` for callers that are in a thread or a process of their own."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        # A damaged file is put right here, so that storing again heals it.
        if not path.is_file() or path.read_bytes() != content:
            write_durably(path, content)
        return f"sha256:{name}"

    def get_now(self, digest: str) -> bytes:
        """`get` for callers that are in a thread or a process of their own."""
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise NotFound(f"{digest!r} is not the name of an artifact; one looks like sha256:<64 hex digits>")
        name = digest.removeprefix("sha256:")
        try:
            content = self._path(name).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no artifact {digest}") from None
        if hashlib.sha256(content).hexdigest() != name:
            raise Unavailable(f"the stored bytes of {digest} were changed; restore that file from a backup")
        return content

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name
