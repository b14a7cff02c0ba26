"""What a git host says: its length first, then who sent it, and only then what it says."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from shared.errors import NotTrusted
from shared.release.addresses import same_repository
from shared.release.notices import Notice
from shared.sources import azure_devops, bitbucket, github, gitlab
from shared.sources.bodies import header, length_checked
from shared.sources.signatures import Secret

__all__ = ["proofs", "read_push", "same_repository"]

SIGN = "Give the webhook at the git host the secret that projects.toml names for the project."


class Host(Struct, frozen=True):
    """A git host: it is known by any header of `known_by`, and proves itself by one of `proofs`."""

    known_by: tuple[str, ...]
    proofs: tuple[str, ...]
    signed_by: Callable[[Mapping[str, str], bytes, Iterable[Secret]], list[Secret]]
    read: Callable[[Mapping[str, str], bytes], list[Notice]]


HOSTS = (
    Host(("X-GitHub-Event", "X-Hub-Signature-256"), ("X-Hub-Signature-256",), github.signed_by, github.read),
    Host(("X-Gitlab-Event", "X-Gitlab-Token"), ("X-Gitlab-Token",), gitlab.signed_by, gitlab.read),
    Host(("X-Event-Key",), ("X-Hub-Signature",), bitbucket.signed_by, bitbucket.read),
    # Its hooks say nothing of themselves, so whatever no other host sent is taken for one.
    Host((), ("Authorization", azure_devops.PROOF), azure_devops.signed_by, azure_devops.read),
)


def read_push(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret]) -> tuple[list[Secret], list[Notice]]:
    """Return the secrets that prove the sender, and what it says.

    The sender may speak for the projects of these secrets and for no other.
    `LengthRequired`, `TooLarge` and `NotTrusted` come before a byte is parsed, `NotUnderstood` after.
    """
    length_checked(headers, body)
    host = next(each for each in HOSTS if not each.known_by or any(header(headers, name) for name in each.known_by))
    trusted = host.signed_by(headers, body, secrets)
    if not trusted:
        raise _not_trusted(headers, host.proofs)
    return trusted, host.read(headers, body)


def proofs(trusted: Iterable[Secret]) -> dict[str, str]:
    """Return the projects that a sender may speak for, each with the first of its secrets that proved it."""
    found: dict[str, str] = {}
    for secret in trusted:
        found.setdefault(secret.project, secret.name)
    return found


def _not_trusted(headers: Mapping[str, str], wanted: tuple[str, ...]) -> NotTrusted:
    for name in wanted:
        if header(headers, name):
            return NotTrusted(f"The header {name} of this push fits no project's secret. {SIGN}")
    return NotTrusted(f"This push proves no sender: it has no header {' or '.join(wanted)}. {SIGN}")
