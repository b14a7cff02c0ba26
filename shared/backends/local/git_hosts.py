"""Talking to git hosts: which addresses are spoken to, with what, and what their answers mean.

dulwich and urllib3 cost a tenth of a second: this is imported when a repository is read, and never before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlparse

from dulwich.client import (
    GitClient,
    HttpGitClient,
    HTTPProxyUnauthorized,
    HTTPUnauthorized,
    LocalGitClient,
    default_urllib3_manager,
    default_user_agent_string,
)
from dulwich.errors import GitProtocolError, NotGitRepository
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager
from urllib3.exceptions import HTTPError

from shared.backends.local.repository import Credential, shown
from shared.errors import Blocked, StepFailed, Unavailable

ANSWER_SECONDS = 30.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
REFUSALS = (401, 403, 404)
"""How hosts refuse a reader; to one they do not know many of them say that there is nothing."""
TOKEN_USER = "x-access-token"
"""The user beside which a token stands alone; hosts that want another one get `user:token`."""


class _OneHost:
    """Requests to one host and to no other: a redirect leads to Blocked before anything is sent elsewhere."""

    url = ""
    credential: Credential | None = None

    def urlopen(self, method: str, url: str, redirect: bool = True, **given: Any) -> BaseHTTPResponse:
        """Send one request; urllib3 comes back here for each redirect it follows."""
        if _origin(url) != _origin(self.url):
            moved = f"the git host of {shown(self.url)} sends its readers to {_origin(url)}, where nothing is sent"
            raise Blocked(f"{moved}. Write the address it has now into the operator's projects file")
        response: BaseHTTPResponse = super().urlopen(method, url, redirect=redirect, **given)  # type: ignore[misc]
        if response.status in REFUSALS:
            raise Blocked(_refusal(self.url, response.status, self.credential))
        return response


# urllib3's own managers differ from their base in the same way.
class _Direct(_OneHost, PoolManager):  # type: ignore[misc]
    pass


class _Proxied(_OneHost, ProxyManager):  # type: ignore[misc]
    pass


def client(url: str, credential: Credential | None) -> tuple[GitClient, str]:
    """Return what talks to `url` and the path to ask it for; `StepFailed` for an address of another kind."""
    parts = urlparse(url)
    if parts.scheme == "file" and parts.hostname in (None, "localhost"):
        return LocalGitClient(), unquote(parts.path)
    loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts.scheme != "https" and not loopback:
        reason = f"the repository address {shown(url)} is of a kind that is not allowed"
        advice = "use https:// or file:// (or http:// to this machine) in the operator's projects file"
        raise StepFailed(reason, advice)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    requests = _requests(host, loopback)
    requests.url, requests.credential = url, credential
    user, token = unquote(parts.username or "") or None, None
    if credential is not None:
        before, colon, after = credential.value.partition(":")
        user, token = (before, after) if colon else (user or TOKEN_USER, before)
    made = HttpGitClient(host, pool_manager=requests, username=user, password=token, timeout=ANSWER_SECONDS)  # type: ignore[arg-type]
    return made, parts.path


def _requests(host: str, loopback: bool) -> _OneHost:
    if loopback:
        # Never through a proxy: it would be another host, and would see the credential.
        return _Direct(headers={"User-agent": default_user_agent_string()})
    made = default_urllib3_manager(None, pool_manager_cls=_Direct, proxy_manager_cls=_Proxied, base_url=host)
    assert isinstance(made, _OneHost)
    return made


def _refusal(url: str, status: int, credential: Credential | None) -> str:
    if credential is None:
        what = f"the git host answers {status} for {shown(url)}: it is not there, or it is private"
        return f"{what}. Correct the address, or name a `credential` that may read it, in the operator's projects file"
    what = f"the git host answers {status} for {shown(url)} to the credential {credential.name}"
    mend = f"Put one that may read it into SECRET_{credential.name}, which is read when the app starts"
    return f"{what}. {mend}; what waits goes on then"


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Turn every way in which a git host does not answer into `Unavailable`."""
    try:
        yield
    except (GitProtocolError, NotGitRepository, HTTPError, HTTPUnauthorized, HTTPProxyUnauthorized, OSError) as error:
        what = f"the repository {shown(url)} could not be asked: {type(error).__name__}: {error}"
        raise Unavailable(f"{what}. Check its address and that this machine may read it") from error


def _origin(url: str) -> str:
    """Return scheme, host and port in one form of writing."""
    parts = urlparse(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"
