"""Reading single files out of a snapshot tar, without unpacking it."""

import io
import tarfile


def read_member(snapshot: bytes, path: str) -> bytes | None:
    """Return the bytes of the regular file `path`, None when there is none."""
    with tarfile.open(fileobj=io.BytesIO(snapshot)) as archive:
        for member in archive:
            if member.isreg() and member.name.removeprefix("./") == path.removeprefix("./"):
                opened = archive.extractfile(member)
                return opened.read() if opened else None
    return None


def regular_files(snapshot: bytes) -> frozenset[str]:
    """Return the paths of all regular files, without a leading `./`."""
    with tarfile.open(fileobj=io.BytesIO(snapshot)) as archive:
        return frozenset(member.name.removeprefix("./") for member in archive if member.isreg())
