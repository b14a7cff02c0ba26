"""Git's refs and commit ids as every git host writes them."""

import re
from typing import Annotated

from msgspec import Meta

_COMMIT = r"\A([0-9a-f]{40}|[0-9a-f]{64})\Z"
Commit = Annotated[str, Meta(pattern=_COMMIT)]
NO_COMMIT = "0" * 40
"""What git writes where there is no commit."""
_KINDS = (("refs/heads/", "branch"), ("refs/tags/", "tag"))


def is_commit(text: str) -> bool:
    """Say whether a text is the whole id of a commit."""
    return bool(re.search(_COMMIT, text)) and not is_no_commit(text)


def is_no_commit(commit: str) -> bool:
    """Say whether a commit id is all zeros: git's way to write that there is none."""
    return not commit.strip("0")


def why_not_followed(ref: str, gone: bool) -> str:
    """Return why a ref that moved opens no release; empty for a branch that is still there."""
    kind, name = _kind(ref)
    if gone:
        return f"the {kind} {name} was deleted"
    return "" if kind == "branch" else f"the {kind} {name} moved; only branches open releases"


def _kind(ref: str) -> tuple[str, str]:
    for prefix, kind in _KINDS:
        if ref.startswith(prefix):
            return kind, ref.removeprefix(prefix)
    return "ref", ref
