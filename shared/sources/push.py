"""A push from any git host: its length first, then who sent it, and only then what it says."""

from collections.abc import Mapping, Sequence

from shared.errors import NotTrusted
from shared.release.addresses import same_repository
from shared.release.notices import Notice
from shared.sources import azure_devops, github
from shared.sources.bodies import header, length_checked
from shared.sources.signatures import Secret

__all__ = ["read_push", "same_repository"]

SIGN = "Give the webhook at the git host the secret that projects.toml names for the project."


def read_push(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret]) -> tuple[list[Secret], list[Notice]]:
    """Return the secrets that prove the sender, and what it says.

    The sender may speak for the projects of these secrets and for no other.
    `LengthRequired`, `TooLarge` and `NotTrusted` come before a byte is parsed, `NotUnderstood` after.
    """
    length_checked(headers, body)
    if header(headers, "X-GitHub-Event") or header(headers, "X-Hub-Signature-256"):
        trusted = github.signed_by(headers, body, secrets)
        _refuse_unless(trusted, "X-Hub-Signature-256", header(headers, "X-Hub-Signature-256"))
        return trusted, [github.read(headers, body)]
    trusted = azure_devops.signed_by(headers, secrets)
    _refuse_unless(trusted, "Authorization", header(headers, "Authorization"))
    return trusted, azure_devops.read(headers, body)


def _refuse_unless(trusted: list[Secret], proof: str, given: str) -> None:
    if trusted:
        return
    if given:
        raise NotTrusted(f"The header {proof} of this push fits no project's secret. {SIGN}")
    raise NotTrusted(f"This push proves no sender: it has no header {proof}. {SIGN}")
