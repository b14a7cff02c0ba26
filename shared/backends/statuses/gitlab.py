"""GitLab: `POST /projects/ID/statuses/SHA`, where ID is the whole path, encoded.

It is an upsert of a state machine: a pending one that is pending already is refused, and stands as it was said first.
"""

from urllib.parse import quote

from shared.backends.statuses.call import Call, Said, place

_STATES = {"pending": "pending", "success": "success", "failure": "failed"}
_STANDS = ("Cannot transition status via :enqueue from :pending", "Cannot transition status via :enqueue from :running")


def call(repository: str, token: str, said: Said) -> Call:
    """Return the POST that says it; a token of any kind is taken as a bearer."""
    at = place(repository)
    body = {
        "state": _STATES[said.state],
        "name": said.context,
        "description": said.sentence,
        "target_url": said.link,
    }
    url = f"{at.origin}/api/v4/projects/{quote(at.path, safe='')}/statuses/{said.commit}"
    return Call(url, f"Bearer {token}", body)


def taken(status: int, text: str) -> bool:
    """Say whether the host has it now."""
    return status == 201 or (status == 400 and any(stands in text for stands in _STANDS))
