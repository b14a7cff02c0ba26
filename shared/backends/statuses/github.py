"""GitHub and GitHub Enterprise Server: `POST /repos/OWNER/NAME/statuses/SHA`.

It appends: the newest of a context counts, and a context takes 1,000 at one commit.
"""

from urllib.parse import quote

from shared.backends.statuses.call import Call, Said, place


def call(repository: str, token: str, said: Said) -> Call:
    """Return the POST that says it."""
    at = place(repository)
    api = "https://api.github.com" if at.host.lower() == "github.com" else f"{at.origin}/api/v3"
    body = {"state": said.state, "context": said.context, "description": said.sentence, "target_url": said.link}
    return Call(f"{api}/repos/{quote(at.path)}/statuses/{said.commit}", f"Bearer {token}", body)


def taken(status: int, text: str) -> bool:
    """Say whether the host has it now."""
    return status == 201
