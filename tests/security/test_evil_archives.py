"""Fifteen members that no archive may hold: of a snapshot of code, and of a layer of an image."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.backends.local import layers
from shared.backends.local.snapshots import unpack
from shared.errors import StepFailed, Unavailable

Member = tuple[str, bytes, str]
EVIL: tuple[Member, ...] = (
    ("../outside", tarfile.REGTYPE, ""),
    ("in/../../outside", tarfile.REGTYPE, ""),
    ("/outside", tarfile.REGTYPE, ""),
    ("./outside", tarfile.REGTYPE, ""),
    ("in//outside", tarfile.REGTYPE, ""),
    ("..", tarfile.REGTYPE, ""),
    ("link", tarfile.SYMTYPE, "/etc/passwd"),
    ("link", tarfile.SYMTYPE, "../outside"),
    ("link", tarfile.SYMTYPE, "."),
    ("link", tarfile.LNKTYPE, "../outside"),
    ("link", tarfile.LNKTYPE, "/etc/passwd"),
    ("pipe", tarfile.FIFOTYPE, ""),
    ("disk", tarfile.BLKTYPE, ""),
    ("null", tarfile.CHRTYPE, ""),
    ("../outside", tarfile.DIRTYPE, ""),
)


def archive(member: Member, mode: str) -> bytes:
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode=mode) as made:  # type: ignore[call-overload]
        name, kind, to = member
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.mode = kind, to, 0o777
        entry.size = 5 if kind == tarfile.REGTYPE else 0
        made.addfile(entry, io.BytesIO(b"evil!"))
    return contents.getvalue()


def outside(tmp_path: Path) -> list[Path]:
    """Return what is there beside the folder that is written to."""
    return sorted(path for path in tmp_path.rglob("*") if "in" not in path.relative_to(tmp_path).parts)


def test_no_archive_writes_outside_its_folder(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    assert len(EVIL) == 15
    for member in EVIL:
        with pytest.raises(StepFailed, match="not a plain file"):
            unpack(archive(member, "w"), tmp_path / "in")
    record_property("figures", f"evil members of archives: {len(EVIL)} twice, written outside {len(outside(tmp_path))}")
    assert outside(tmp_path) == []


def test_no_layer_of_an_image_writes_outside_its_folder(tmp_path: Path) -> None:
    for member in EVIL:
        layer = tmp_path / "in" / "layer.tar.gz"
        layer.parent.mkdir(exist_ok=True)
        layer.write_bytes(archive(member, "w:gz"))
        with pytest.raises(Unavailable, match="no plain file"):
            layers._unpack_now(layer, tmp_path / "in" / "layer")
    assert outside(tmp_path) == []
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["layer.tar.gz"]


def test_what_is_plain_is_written(tmp_path: Path) -> None:
    good = archive(("in/side", tarfile.REGTYPE, ""), "w")
    unpack(good, tmp_path / "in")
    assert (tmp_path / "in" / "in" / "side").read_bytes() == b"evil!"
