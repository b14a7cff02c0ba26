"""What is left half-made in the workspace is listed with the reason, and nothing that is used or may yet be."""

import asyncio
import json
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from shared.backends.azure.orphans import Used, orphans
from tests.azure import configured
from tests.azure.releases import OTHER, PROJECT, RELEASE, Tiny
from tests.azure.stand_in import StandIn
from tests.world import RUNNER, World
from tools.cli.orphans import app, used
from tools.cli.reach import Refused

GONE = "0" * 20
NOTHING = Used(releases=[], open=[], versions={}, slots=[])


def listed(tiny: Tiny, used: Used) -> dict[str, str]:
    """Return the names of what nothing uses, with why."""
    return {orphan.made.name: orphan.why for orphan in asyncio.run(orphans(tiny.azure, [PROJECT], used))}


def half_made(tiny: Tiny) -> None:
    """Leave one of everything for one release, and a second version that nobody adopted."""
    tiny.double.plan("service", kind="late")
    image = tiny.manifest()
    tiny.deploy("staging", RELEASE, image)
    tiny.deploy("production", RELEASE, image)
    twice = {"name": PROJECT, "properties": {"release": RELEASE}, "runId": f"{RELEASE}-train-1"}
    tiny.double.ask("POST", "/plant", {"models": [twice, {"name": "somebodys", "properties": {}}]})


def test_everything_of_a_release_that_this_ledger_does_not_know_is_listed(tiny: Tiny) -> None:
    half_made(tiny)

    assert listed(tiny, NOTHING) == dict.fromkeys(
        [
            f"{PROJECT}:1",
            f"{PROJECT}:2",
            f"r{RELEASE}-staging",
            f"{PROJECT}/r{RELEASE}",
            f"{RELEASE}-train-1",
        ],
        "no release of this ledger made it",
    )


def test_a_second_version_is_listed_and_nothing_of_an_open_release_beside_it(tiny: Tiny) -> None:
    half_made(tiny)
    used = msgspec.structs.replace(
        NOTHING, releases=[RELEASE, OTHER], open=[RELEASE], versions={RELEASE: f"{PROJECT}:1"}
    )

    assert listed(tiny, used) == {f"{PROJECT}:2": f"its release adopted {PROJECT}:1"}


def test_what_an_ended_release_still_uses_is_not_listed(tiny: Tiny) -> None:
    half_made(tiny)
    used = Used([RELEASE], [], {RELEASE: f"{PROJECT}:2"}, [f"{RELEASE}-production"])

    assert listed(tiny, used) == {
        f"{PROJECT}:1": f"its release adopted {PROJECT}:2",
        f"r{RELEASE}-staging": "its release has ended and its slot is given up",
    }


def test_the_ledger_says_what_its_releases_use() -> None:
    world = World()
    live = world.push("a")
    world.run()
    world.decide(live)
    world.run()
    waiting = world.push("b")
    world.run()

    its = RUNNER.run(used(world.control.streams, ["houses"]))

    assert (set(its.releases), set(its.open)) == ({live, waiting}, {waiting})
    assert dict(its.versions) == {live: "houses:1", waiting: "houses:2"}
    assert set(its.slots) == {f"{live}-production", f"{waiting}-staging"}


def test_the_command_lists_them_and_deletes_nothing(tiny: Tiny, tmp_path: Path) -> None:
    tiny.register()
    given = configured.settings(tiny.double, tmp_path)
    (tmp_path / "settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": given}))
    before = len(tiny.double.requests())

    told = CliRunner().invoke(app, ["orphans", "--settings", str(tmp_path / "settings.json")])

    assert told.exit_code == 0, told.exception
    assert f"version          {PROJECT}:1: no release of this ledger made it" in told.output
    changed = {each["route"] for each in tiny.double.requests()[before:] if each["method"] not in ("GET", "HEAD")}
    assert changed <= {"POST /{tenant}/oauth2/v2.0/token", "POST /history/v1.0{ws}/experiments:query"}


def test_the_command_looks_in_azure_only(double: StandIn, tmp_path: Path) -> None:
    given = configured.settings(double, tmp_path) | {
        "BACKEND": "local",
        "LIVE_URL": "http://127.0.0.1:1",
        "STATE_DIR": str(tmp_path),
    }
    (tmp_path / "settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": given}))

    refused = CliRunner().invoke(app, ["orphans", "--settings", str(tmp_path / "settings.json")])

    assert isinstance(refused.exception, Refused)
    assert "these settings say BACKEND=local" in str(refused.exception)
