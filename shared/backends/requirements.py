"""A requirements file, read so that it names packages and nothing else."""

import re
from pathlib import Path

from shared.errors import StepFailed

SPECIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*(\(?\s*[<>=!~][^@]*)?(;.*)?")


def read(code: Path, requirements: str) -> str:
    """Return the text of a code folder's requirements file; `StepFailed` when it asks for more than packages."""
    if not requirements:
        return ""
    if not all(part not in ("", ".", "..") for part in requirements.split("/")):
        raise StepFailed(f"requirements = {requirements!r} is not a path within the project", "name a file of it")
    try:
        text = (code / requirements).read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        advice = f"commit {requirements}, or name the file you have in signalbox.toml"
        raise StepFailed(f"there is no file {requirements} at this commit", advice) from None
    except UnicodeDecodeError:
        raise StepFailed(f"{requirements} is not UTF-8 text", "save it as UTF-8 and push again") from None
    for number, line in lines(text):
        if not SPECIFIER.fullmatch(line) or re.search(r"\s-", line):
            reason = f"{requirements}, line {number}: {line!r} is not a package with its versions"
            raise StepFailed(reason, "list packages only, like pandas>=2: no options, files, addresses or indexes")
    return text


def lines(text: str) -> list[tuple[int, str]]:
    """Return the lines that mean something with their numbers, continued ones joined, hashes left out."""
    joined = re.sub(r"\\\r?\n", " \0", text)
    found, number = [], 0
    for whole in joined.split("\n"):
        number += 1
        line = re.sub(r"(^|\s)#.*", "", whole.replace("\0", ""))
        line = re.sub(r"\s--hash=[a-z0-9]+:[0-9a-f]+", "", line).strip()
        if line:
            found.append((number, line))
        number += whole.count("\0")
    return found
