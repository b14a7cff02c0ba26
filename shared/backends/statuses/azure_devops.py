"""Azure DevOps: `POST .../_apis/git/repositories/NAME/commits/SHA/statuses`.

It appends: the newest of a genre and name counts. A token it does not know is answered 203 or with a way to sign in.
"""

from base64 import b64encode
from urllib.parse import quote

from shared.backends.statuses.call import Call, Place, Said, place

_STATES = {"pending": "pending", "success": "succeeded", "failure": "failed"}
_VERSION = "api-version=7.1"


def call(repository: str, token: str, said: Said) -> Call:
    """Return the POST that says it."""
    project, name = _split(place(repository))
    genre, _, step = said.context.rpartition("/")
    body = {
        "state": _STATES[said.state],
        "context": {"genre": genre, "name": step},
        "description": said.sentence,
        "targetUrl": said.link,
    }
    url = f"{project}/_apis/git/repositories/{quote(name, safe='')}/commits/{said.commit}/statuses?{_VERSION}"
    return Call(url, f"Basic {b64encode(f':{token}'.encode()).decode()}", body)


def _split(at: Place) -> tuple[str, str]:
    """Return the address of the project and the name of its repository."""
    origin, segments = at.origin, at.path.split("/")
    if at.host in ("ssh.dev.azure.com", "vs-ssh.visualstudio.com") and segments[0] == "v3":
        # Cloned over SSH: v3, organisation, project, name.
        origin, segments = "https://dev.azure.com", [*segments[1:-1], "_git", segments[-1]]
    before = segments[: segments.index("_git")] if "_git" in segments else segments[:-1]
    if len(before) == (0 if at.host.endswith(".visualstudio.com") else 1):
        # A project with one repository of its own name may be left out of the address.
        before = [*before, segments[-1]]
    return "/".join([origin, *(quote(each, safe="") for each in before)]), segments[-1]


def taken(status: int, text: str) -> bool:
    """Say whether the host has it now."""
    return status in (200, 201)
