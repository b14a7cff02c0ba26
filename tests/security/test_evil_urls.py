"""Twenty addresses that nobody should open, in a push and in the operator's file."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from functions.on_push import on_push
from shared.backends.local.repository import GitRepository
from shared.errors import SignalboxError, StepFailed
from tests.functions.conftest import App, push_body, signed
from tests.local_backend.origins import Origin
from tests.security.listening import Listener

EVIL = (
    "http://127.0.0.1:{port}/acme/houses.git",
    "http://localhost:{port}/acme/houses",
    "http://2130706433:{port}/acme/houses.git",
    "http://0x7f000001:{port}/acme/houses.git",
    "http://0177.0.0.1:{port}/acme/houses.git",
    "http://127.1:{port}/acme/houses.git",
    "http://[::ffff:127.0.0.1]:{port}/acme/houses.git",
    "http://git.example.org@127.0.0.1:{port}/acme/houses.git",
    "http://127.0.0.1:{port}/acme/houses.git?https://git.example.org/acme/houses.git",
    "http://127.0.0.1:{port}#@git.example.org/acme/houses.git",
    "http://127.0.0.1:{port}\\@git.example.org/acme/houses.git",
    "git://127.0.0.1:{port}/acme/houses.git",
    "gopher://127.0.0.1:{port}/_acme/houses.git",
    "ftp://127.0.0.1:{port}/acme/houses.git",
    "ssh://-oProxyCommand=touch {canary}/acme/houses.git",
    "ext::sh -c 'touch {canary}'",
    "--upload-pack=touch {canary}",
    "file://{canary}/../../etc/acme/houses.git",
    "http://2852039166/latest/meta-data",
    "http://0xa9fea9fe/latest/meta-data",
)
CONFIGURED_BY_NOBODY = ("http://127.0.0.1:", "http://localhost:", "http://git.example.org@", "file:")
"""What an operator may write: this machine by its name, and its files."""


def addresses(listener: Listener, canary: Path) -> list[str]:
    return [evil.replace("{port}", str(listener.port)).replace("{canary}", str(canary)) for evil in EVIL]


def test_no_address_that_came_in_is_opened(
    app: App, listener: Listener, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    origin, canary = Origin(tmp_path / "origin"), tmp_path / "canary"
    app.world.projects["houses"] = replace(app.world.projects["houses"], repository=origin.url)
    app.world.git = GitRepository(tmp_path / "state", {})
    app.world.restart()
    for address in addresses(listener, canary):
        body = push_body("a" * 40, repository={"clone_url": address, "full_name": "eve/houses"})
        answer = app.http(on_push, "POST", body, **signed(body))
        assert answer.status_code in (202, 400), address
    app.world.run()
    app.world.patrol()
    record_property("figures", f"evil addresses in pushes: {len(EVIL)}, connections {listener.came}, releases 0")
    assert (listener.came, app.world.state_of_project().next_number, canary.exists()) == (0, 1, False)


def test_no_address_of_another_kind_is_opened_though_it_is_configured(listener: Listener, tmp_path: Path) -> None:
    repository, canary = GitRepository(tmp_path / "state", {}), tmp_path / "canary"
    for address in addresses(listener, canary):
        if not address.startswith(CONFIGURED_BY_NOBODY):
            with pytest.raises(StepFailed, match="not allowed"):
                asyncio.run(repository.tip(address, "main"))
    assert (listener.came, canary.exists()) == (0, False)


def test_whoever_comes_is_counted(listener: Listener, tmp_path: Path) -> None:
    with suppress(SignalboxError):
        asyncio.run(GitRepository(tmp_path, {}).tip(f"http://127.0.0.1:{listener.port}/acme/houses.git", "main"))
    assert listener.came
