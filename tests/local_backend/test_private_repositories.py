"""Private repositories: read with the credential the operator gave, which is shown and sent to nobody else."""

import asyncio
import base64
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

import pytest
from origins import BRANCH, FILES, Origin, serving

from shared import wiring
from shared.backends.local.repository import Credential, GitRepository
from shared.errors import Blocked

RIGHT = "robot:correct-horse"


class Guard:
    """A git host in front of a repository: lets in who proves to be `allowed`, and keeps what everybody sent."""

    def __init__(self, app: WSGIApplication, allowed: str = RIGHT, refusal: str = "401 Unauthorized") -> None:
        self.app, self.allowed, self.refusal = app, allowed, refusal
        self.sent: list[str] = []
        self.moved_to = ""

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        sent = environ.get("HTTP_AUTHORIZATION", "")
        self.sent.append(base64.b64decode(sent.removeprefix("Basic ")).decode())
        if self.moved_to:
            query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
            path = environ["PATH_INFO"].replace("/old.git", "/project.git")
            start("301 Moved Permanently", [("Location", f"{self.moved_to}{path}{query}")])
            return [b""]
        if self.sent[-1] != self.allowed:
            start(self.refusal, [("WWW-Authenticate", 'Basic realm="git"')])
            return [b""]
        return self.app(environ, start)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin" / "project.git")


@pytest.fixture
def guard(origin: Origin) -> Guard:
    return Guard(origin.web())


@pytest.fixture
def url(guard: Guard) -> Iterator[str]:
    with serving(guard) as host:
        yield f"{host}/project.git"


def reader(state: Path, url: str, value: str = RIGHT) -> GitRepository:
    return GitRepository(state, {url: Credential("ACME_READ", value)})


def tip(git: GitRepository, url: str) -> str | None:
    return asyncio.run(git.tip(url, BRANCH))


def test_a_private_repository_is_read_with_its_credential(state: Path, origin: Origin, url: str, guard: Guard) -> None:
    first = origin.commit(FILES)
    git = reader(state, url)
    assert tip(git, url) == first
    assert asyncio.run(git.place(url, BRANCH, first)).on_branch is True
    assert asyncio.run(git.snapshot(url, BRANCH, first, ""))
    assert set(guard.sent) == {RIGHT}


@pytest.mark.parametrize(
    ("user", "value", "sent"),
    [
        ("", "a-token", "x-access-token:a-token"),
        ("acme@", "a-token", "acme:a-token"),
        ("acme@", "robot:with:colons", "robot:with:colons"),
    ],
)
def test_a_token_alone_gets_the_user_of_the_address_or_the_one_hosts_know(
    state: Path, origin: Origin, url: str, guard: Guard, user: str, value: str, sent: str
) -> None:
    first, guard.allowed = origin.commit(FILES), sent
    address = url.replace("//", f"//{user}")
    assert tip(reader(state, address, value), address) == first


@pytest.mark.parametrize("refusal", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_a_refused_credential_is_for_the_operator_to_mend(
    state: Path, origin: Origin, url: str, guard: Guard, refusal: str
) -> None:
    commit, guard.refusal = origin.commit(FILES), refusal
    said = (
        f"the git host answers {refusal[:3]} for {url} to the credential ACME_READ. "
        "Put one that may read it into SECRET_ACME_READ, which is read when the app starts; what waits goes on then"
    )
    for ask in (
        lambda git: git.tip(url, BRANCH),
        lambda git: git.place(url, BRANCH, commit),
        lambda git: git.snapshot(url, BRANCH, commit, ""),
    ):
        with pytest.raises(Blocked) as caught:
            asyncio.run(ask(reader(state, url, "robot:wrong")))
        assert str(caught.value) == said


def test_a_private_repository_without_a_credential_says_that_one_can_be_named(state: Path, url: str) -> None:
    with pytest.raises(Blocked, match=r"it is not there, or it is private.*name a `credential`"):
        tip(GitRepository(state), url)


def test_a_credential_that_was_changed_reads_what_the_one_before_had_mirrored(
    state: Path, origin: Origin, url: str, guard: Guard
) -> None:
    first = origin.commit(FILES)
    assert asyncio.run(reader(state, url).place(url, BRANCH, first)).on_branch
    guard.allowed = "robot:the-next"
    second = origin.commit({"train.py": (0o100644, b"print(2)\n")}, first)
    with pytest.raises(Blocked):
        asyncio.run(reader(state, url).place(url, BRANCH, second))
    assert asyncio.run(reader(state, url, "robot:the-next").place(url, BRANCH, second)).on_branch


def test_a_credential_is_never_sent_to_another_host(state: Path, origin: Origin, url: str, guard: Guard) -> None:
    origin.commit(FILES)
    elsewhere = Guard(origin.web())
    with serving(elsewhere) as other:
        guard.moved_to = other
        with pytest.raises(Blocked, match=f"sends its readers to {other}, where nothing is sent"):
            tip(reader(state, url), url)
    assert elsewhere.sent == []


def test_a_repository_that_moved_within_its_host_is_followed(state: Path, origin: Origin, url: str) -> None:
    first = origin.commit(FILES)
    old = Guard(origin.web())

    def host(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        return (old if environ["PATH_INFO"].startswith("/old.git") else Guard(origin.web()))(environ, start)

    with serving(host) as address:
        old.moved_to = address
        git = reader(state, f"{address}/old.git")
        assert tip(git, f"{address}/old.git") == first
        assert asyncio.run(git.place(f"{address}/old.git", BRANCH, first)).on_branch


def test_a_credential_does_not_go_through_a_proxy_to_this_machine(
    state: Path, origin: Origin, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, proxy = origin.commit(FILES), Guard(origin.web())
    with serving(proxy) as address:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, address)
        monkeypatch.delenv("no_proxy", raising=False)
        assert tip(reader(state, url), url) == first
    assert proxy.sent == []


def test_nothing_that_is_said_or_kept_holds_the_credential(
    state: Path, origin: Origin, url: str, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    commit = origin.commit(FILES)
    asyncio.run(reader(state, url).place(url, BRANCH, commit))
    guard.allowed = "robot:another"
    with pytest.raises(Blocked) as caught:
        asyncio.run(reader(state, url).place(url, BRANCH, commit))
    assert "correct-horse" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    kept = [path.read_bytes() for path in state.rglob("*") if path.is_file()]
    encoded = base64.b64encode(RIGHT.encode()).decode()
    for secret in ("correct-horse", encoded):
        assert secret not in caplog.text
        assert not [content for content in kept if secret.encode() in content]
    assert "correct-horse" not in repr(Credential("ACME_READ", RIGHT))


def test_the_app_reads_with_what_the_environment_holds_now(
    state: Path, origin: Origin, url: str, guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, file = origin.commit(FILES), tmp_path / "projects.toml"
    file.write_text(f'[projects.a]\nrepository = "{url}"\napprovers = ["ana"]\ncredential = "ACME_READ"\n')
    settings = {"PROJECTS": str(file), "APPROVAL_KEY": "k" * 16, "PUBLIC_URL": "http://a", "LIVE_URL": "http://b"}
    for name, value in {**settings, "STATE_DIR": str(state)}.items():
        monkeypatch.setenv(name, value)
    for allowed in (RIGHT, "robot:the-next"):
        guard.allowed = allowed
        monkeypatch.setenv("SECRET_ACME_READ", allowed)
        wiring.forget()
        assert asyncio.run(wiring.control().outside.repository.tip(url, BRANCH)) == first
    wiring.forget()
