"""Posting a status to the git host of a project, once; the queue repeats it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from shared.backends.beside import SECONDS as IN_ALL
from shared.backends.beside import Beside
from shared.backends.statuses import azure_devops, github, gitlab
from shared.backends.statuses.call import Call, Said
from shared.errors import Blocked, Unavailable
from shared.release.config import GitHost
from shared.release.telling import Stands

SECONDS = 5.0
"""How long a host may say nothing: the queue has other work."""
LARGEST = 2048
"""Bytes of an answer that are read."""
_CALLS: dict[GitHost, Callable[[str, str, Said], Call]] = {
    "github": github.call,
    "gitlab": gitlab.call,
    "azure-devops": azure_devops.call,
}
_TAKEN: dict[GitHost, Callable[[int, str], bool]] = {
    "github": github.taken,
    "gitlab": gitlab.taken,
    "azure-devops": azure_devops.taken,
}


class Account(Struct, frozen=True):
    """The git host of a project, and the token that may write statuses there."""

    host: GitHost
    repository: str
    secret: str
    token: str

    def __repr__(self) -> str:
        """Say where, and never with which token."""
        return f"Account({self.host}, {self.repository}, {self.secret})"


class HostStatuses:
    """`Statuses` over the APIs of git hosts; every address is derived from a configured repository."""

    def __init__(self, accounts: Mapping[str, Account], seconds: float = IN_ALL) -> None:
        self._accounts, self._beside = accounts, Beside(seconds)

    async def post(self, project: str, commit: str, context: str, state: Stands, sentence: str, link: str) -> None:
        """Say it once."""
        account = self._accounts[project]
        said = Said(commit, context, state, sentence, link)
        # A secret may be that of several projects of one host.
        await self._beside.run(f"{account.host} ({account.secret})", partial(_post, account, said))


def _post(account: Account, said: Said) -> None:
    import requests

    call = _CALLS[account.host](account.repository, account.token, said)

    def signed(request: Any) -> Any:
        # As an authentication and not as a header, for which a .netrc of this machine would be taken instead.
        request.headers["Authorization"] = call.authorization
        return request

    try:
        answer = requests.post(
            call.url,
            json=call.body,
            auth=signed,
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
            headers={"Accept": "application/json"},
        )
        with answer:
            # Only of a refusal it matters what else is said.
            status, text = answer.status_code, _beginning(answer) if answer.status_code == 400 else ""
    except requests.RequestException as error:
        raise Unavailable(f"{account.host} cannot be asked ({type(error).__name__})") from error
    if _TAKEN[account.host](status, text):
        return
    if status in (408, 425, 429) or status >= 500:
        raise Unavailable(f"{account.host} answered {status}; it is told again")
    raise Blocked(f"{account.host} did not take the status (it answered {status}); {_advice(account, status)}")


def _beginning(answer: Any) -> str:
    held = b""
    for piece in answer.iter_content(256):
        held += piece
        if len(held) >= LARGEST:
            break
    return held[:LARGEST].decode("utf-8", "replace")


def _advice(account: Account, status: int) -> str:
    # Whoever looks at health reads it, so that the repository is not named.
    if status in (404, 422):
        return f"see that {account.secret} may write statuses of the repository, and that the commit is there"
    return f"see that {account.secret} holds a token that may write statuses of the repository"
