"""Snapshots of source directories: files are uploaded once, and a later snapshot names those it shares with an earlier.

Assumed: the latest of the workspace is the one that was posted last, and one whose parent is unknown is refused.
"""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route

CONTAINER, TREES = "files", "trees"
NOBODYS = "00000000-0000-0000-0000-000000000000"


@area("snapshots")
class Snapshots:
    """Which file of which snapshot is which blob; kept over a reset, because clients remember what they sent."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self.latest = NOBODYS

    def keep(self, name: str, tree: dict[str, Any], files: dict[str, str]) -> None:
        """Keep one: its tree as it was sent, and the blob of each path."""
        content = json.dumps({"tree": tree, "files": files}).encode()
        self._azure.accounts.put(TREES, name, content)
        self.latest = name

    def find(self, name: str) -> dict[str, Any] | None:
        """Return tree and files of one, None when there is none of this name."""
        kept = self._azure.accounts.get(TREES, name)
        return None if kept is None else json.loads(kept)

    def restore(self, name: str, folder: Path) -> None:
        """Write the files of one below a folder."""
        for path, content in self._contents(name):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def texts(self, name: str) -> dict[str, str]:
        """Return the files of one by path, as text."""
        return {path: content.decode("utf-8", "replace") for path, content in self._contents(name)}

    def _contents(self, name: str) -> Iterator[tuple[str, bytes]]:
        for path, blob in (self.find(name) or {"files": {}})["files"].items():
            yield path, self._azure.accounts.get(CONTAINER, blob) or b""


def paths(node: dict[str, Any], above: str = "") -> list[str]:
    """Return the paths of all files in a tree."""
    found = []
    for name, child in (node.get("children") or {}).items():
        at = f"{above}{name}"
        found += [at] if child["type"] == "File" else paths(child, f"{at}/")
    return found


@route("GET", "/content/v1.0{ws}/snapshots/latest/metadata")
def latest(azure: Azure, request: Request) -> Answer:
    """Give the tree of the snapshot that was posted last."""
    name = azure.snapshots.latest
    kept = azure.snapshots.find(name)
    return Answer(body={"id": name, "root": kept["tree"] if kept else {}})


@route("POST", "/content/v2.0{ws}/snapshots/getblob")
def addresses(azure: Azure, request: Request) -> Answer:
    """Give an address to upload each named file to."""
    names = request.json()["FileNames"]
    nodes = [{"fullName": name, "blobUri": azure.accounts.url(CONTAINER, str(uuid.uuid4()), "rw")} for name in names]
    return Answer(body={"fileNodes": nodes})


@route("POST", "/content/v2.0{ws}/snapshots/{snapshot}")
def post(azure: Azure, request: Request, snapshot: str) -> Answer:
    """Take a snapshot: what was uploaded for it, and by name what its parent has."""
    told = request.json()
    parent = azure.snapshots.find(told["ParentSnapshotId"])
    if parent is None and told["ParentSnapshotId"] != NOBODYS:
        return error(404, "NotFound", f"Snapshot {told['ParentSnapshotId']} was not found.")
    sent = {node["FullName"]: _blob(node["BlobUri"]) for node in told["FileRevisionList"]["FileNodes"]}
    known = (parent["files"] if parent else {}) | sent
    wanted = paths(told["DirTreeNode"])
    absent = [path for path in wanted if path not in known or azure.accounts.get(CONTAINER, known[path]) is None]
    if absent:
        return error(400, "BadArgument", f"The snapshot names files that were not uploaded: {', '.join(absent[:5])}.")
    azure.snapshots.keep(snapshot, told["DirTreeNode"], {path: known[path] for path in wanted})
    return Answer(body={"id": snapshot})


def _blob(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[2]
