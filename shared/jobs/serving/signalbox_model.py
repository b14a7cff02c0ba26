"""Whether the files of a model are those that were approved: their digest, and which folder they are in.

Standard library only: it runs in any model's environment.
"""

import hashlib
import os


def verified(folder: str, digest: str) -> str:
    """Return the folder at or right below `folder` whose files have this digest; raises `RuntimeError` without one.

    A registry that keeps a whole folder gives it back as a folder within the model's own.
    With an empty digest there is nothing to compare with: then it is that one folder, if all is in it.
    """
    if not digest:
        inside = list(os.scandir(folder))
        return inside[0].path if len(inside) == 1 and inside[0].is_dir() else folder
    its = folder_digest(folder)
    if its == digest:
        return folder
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and folder_digest(entry.path) == digest:
            return entry.path
    raise RuntimeError(f"The files of the model are {its} and {digest} was approved; look into the registry")


def folder_digest(folder: str) -> str:
    """Return `sha256:` of the sorted lines `<relative path> NUL <sha256 hex> LF`: what the training job gives."""
    lines = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                inside = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append((os.path.relpath(path, folder).replace(os.sep, "/"), inside))
    whole = hashlib.sha256()
    for name, inside in sorted(lines):
        whole.update(f"{name}\0{inside}\n".encode())
    return f"sha256:{whole.hexdigest()}"
