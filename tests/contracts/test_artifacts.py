"""What every store of artifacts keeps to: a new backend joins with one line in `STORES`."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.backends.local.artifacts import FileArtifacts
from shared.backends.memory import MemoryArtifacts
from shared.errors import NotFound, Unavailable
from shared.ports import Artifacts
from tests import storage

STORES: dict[str, Callable[[Path], Artifacts]] = {
    "memory": lambda folder: MemoryArtifacts(),
    "local": FileArtifacts,
    "azurite": storage.artifacts,
}


@pytest.fixture(params=STORES)
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    return STORES[request.param](tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 40_000])
def test_bytes_come_back_by_the_digest_of_themselves(artifacts: Artifacts, content: bytes) -> None:
    digest = asyncio.run(artifacts.put(content))
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert asyncio.run(artifacts.get(digest)) == content


def test_storing_twice_is_storing_once(artifacts: Artifacts) -> None:
    assert asyncio.run(artifacts.put(b"same")) == asyncio.run(artifacts.put(b"same"))


def test_twenty_writers_of_the_same_bytes_do_not_disturb_one_another(artifacts: Artifacts) -> None:
    with ThreadPoolExecutor(20) as pool:
        digests = set(pool.map(lambda _: asyncio.run(artifacts.put(b"same" * 10_000)), range(20)))
    assert asyncio.run(artifacts.get(digests.pop())) == b"same" * 10_000
    assert not digests


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:../../../etc/passwd", "", "md5:00"])
def test_a_digest_nobody_stored_is_not_found(artifacts: Artifacts, digest: str) -> None:
    with pytest.raises(NotFound):
        asyncio.run(artifacts.get(digest))


def test_a_changed_file_is_never_handed_out_and_storing_again_heals_it(tmp_path: Path) -> None:
    artifacts = FileArtifacts(tmp_path)
    digest = asyncio.run(artifacts.put(b"right"))
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(b"wrong")
    with pytest.raises(Unavailable, match="changed"):
        asyncio.run(artifacts.get(digest))
    asyncio.run(artifacts.put(b"right"))
    assert asyncio.run(artifacts.get(digest)) == b"right"
