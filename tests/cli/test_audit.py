"""`signalbox audit`, `backup` and `restore` on a state folder, with no stack up."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.backends.local.artifacts import FileArtifacts
from shared.backends.local.ledger import SqliteLedger
from shared.backends.signing import Signer
from shared.release import facts
from shared.settings import read_audit
from tests.audit.ledgers import live
from tests.world import World
from tools.cli.app import main
from tools.cli.audit import in_red, text
from tools.local.keys import make_keys
from tools.local.settings import Plan, app_settings


@pytest.fixture
def state(tmp_path: Path) -> tuple[Path, str]:
    """Return a state folder in which one release went into production, and that release."""
    folder = tmp_path / "state"
    folder.mkdir()
    key = read_audit({"AUDIT_KEY": make_keys(folder).audit, "STATE_DIR": str(folder)}).key
    ledger: Any = SqliteLedger(folder)
    artifacts: Any = FileArtifacts(folder)
    return folder, live(World(ledger=ledger, artifacts=artifacts, sign=Signer(key)))


@pytest.fixture
def signalbox(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setattr("tools.cli.app.console.width", 200)

    def run(folder: Path, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["signalbox", *arguments, "--state", str(folder)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out + err

    return run


def test_an_auditor_verifies_asks_redacts_copies_and_puts_back(
    state: tuple[Path, str], signalbox: Any, tmp_path: Path
) -> None:
    folder, release = state
    code, said = signalbox(folder, "audit", "verify")
    assert (code, "No checkpoint covers them" in said) == (0, True)
    assert "checkpoint 1: 4 streams" in signalbox(folder, "audit", "checkpoint")[1]
    assert "Nothing came since" in signalbox(folder, "audit", "checkpoint")[1]
    code, said = signalbox(folder, "audit", "verify")
    assert (code, "Covered up to checkpoint 1; 1 line came since." in said) == (0, True)
    code, said = signalbox(folder, "audit", "what-served", "houses", "--at", "2026-03-04")
    assert (code, said.startswith("v1 "), "signatures good" in said) == (0, True, True)
    assert f"approve {release}: because" in signalbox(folder, "audit", "log")[1]
    rows = [json.loads(line) for line in signalbox(folder, "audit", "export")[1].splitlines()]
    assert {row["signed"] for row in rows} == {True}
    code, said = signalbox(folder, "audit", "redact", release, "--reason", "asked for", "--by", "cy@example.org")
    assert (code, f"lines of release/{release}" in said) == (0, True)
    assert "ana@example.org" not in signalbox(folder, "audit", "export", "--only", "release/")[1]
    assert signalbox(folder, "audit", "verify", release)[0] == 0
    assert (
        "Nothing was to be redacted" in signalbox(folder, "audit", "retain", "--older-than", "9999", "--reason", "x")[1]
    )
    code, said = signalbox(folder, "backup", str(tmp_path / "copy"))
    assert (code, "artifacts" in said) == (0, True)
    (tmp_path / "new").mkdir()
    (tmp_path / "new/keys.json").write_text((folder / "keys.json").read_text())
    code, said = signalbox(tmp_path / "new", "restore", str(tmp_path / "copy"))
    assert (code, "streams and" in said) == (0, True)
    assert signalbox(tmp_path / "new", "audit", "verify", "--json")[0] == 0


def test_a_backup_is_put_back_by_the_key_or_the_public_key_and_by_nobody_without(
    state: tuple[Path, str], signalbox: Any, tmp_path: Path
) -> None:
    folder, _ = state
    copy = str(tmp_path / "copy")
    signalbox(folder, "backup", copy)
    public = signalbox(folder, "audit", "key", "--public")[1].split()[0]
    code, said = signalbox(tmp_path / "no", "restore", copy)
    assert (code != 0, "no key is known" in said, "--unproven" in said) == (True, True, True)
    other = text(Signer(b"x" * 32).public)
    code, said = signalbox(tmp_path / "no", "restore", copy, "--public-key", other)
    assert (code != 0, "nothing was restored" in said, "unsigned" in said) == (True, True, True)
    (tmp_path / "key").write_text(make_keys(folder).audit + "\n")
    code, said = signalbox(tmp_path / "by key", "restore", copy, "--key-file", str(tmp_path / "key"))
    assert (code, "streams and" in said) == (0, True)
    assert signalbox(tmp_path / "by key", "audit", "verify")[0] == 0
    assert make_keys(tmp_path / "by key").audit == make_keys(folder).audit
    code, said = signalbox(tmp_path / "by public", "restore", copy, "--public-key", public)
    assert (code, f"AUDIT_PUBLIC_KEYS='{public}'" in said) == (0, True)
    ours = signalbox(tmp_path / "by public", "audit", "key", "--public")[1].split()[0]
    both = ("--public-key", public, "--public-key", ours)
    assert signalbox(tmp_path / "by public", "audit", "verify", *both)[0] == 0
    assert signalbox(tmp_path / "by public", "audit", "verify")[0] == 1
    code, said = signalbox(tmp_path / "taken", "restore", copy, "--unproven")
    assert (code, "Not every line of it was proven" in said) == (0, True)


def test_a_line_that_was_edited_is_named_and_the_command_fails(state: tuple[Path, str], signalbox: Any) -> None:
    folder, release = state
    ledger, name = SqliteLedger(folder), f"release/{release}"
    content = asyncio.run(ledger.read(name))
    number = 1 + next(n for n, line in enumerate(content.splitlines()) if b'"kind":"Approved"' in line)
    forged = content.replace(b'"by":["ana@example.org"]', b'"by":["eve@example.org"]')
    asyncio.run(ledger.rewrite(name, forged, len(content)))
    code, said = signalbox(folder, "audit", "verify")
    assert code == 1
    assert f"!!  {name}, line {number}: edited: its signature is of other words" in said
    code, said = signalbox(folder, "audit", "verify", "--json")
    assert (code, json.loads(said)["findings"][0]["line"]) == (1, number)
    code, said = signalbox(folder, "audit", "what-served", "houses", "--at", "2026-03-04")
    assert (code, "NOT PROVEN" in said) == (1, True)


def test_a_checkpoint_that_is_asked_for_looks_at_new_lines_too(state: tuple[Path, str], signalbox: Any) -> None:
    folder, release = state
    assert signalbox(folder, "audit", "checkpoint")[0] == 0
    ledger: Any = SqliteLedger(folder)
    forged = facts.Heard("ModelRegistered", "forged")
    asyncio.run(World(ledger=ledger).control.streams.add(f"release/{release}", [forged]))
    code, said = signalbox(folder, "audit", "checkpoint")
    assert (code, "no key that is known here signed it" in said) == (1, True)


def test_a_key_is_made_and_its_public_part_is_shown(state: tuple[Path, str], signalbox: Any) -> None:
    folder, _ = state
    made = json.loads(signalbox(folder, "audit", "key", "--json")[1])
    key = read_audit({"AUDIT_KEY": made["key"], "STATE_DIR": str(folder)}).key
    earlier = read_audit({"AUDIT_PUBLIC_KEYS": made["public"], "STATE_DIR": str(folder)}).public_keys
    assert earlier == (Signer(key).public,)
    ours = json.loads(signalbox(folder, "audit", "key", "--public", "--json")[1])
    assert signalbox(folder, "audit", "verify", "--public-key", ours["public"])[0] == 0
    code, said = signalbox(folder, "audit", "verify", "--public-key", made["public"])
    assert (code, "signed by a key that is not known here" in said) == (1, True)


def test_an_auditor_needs_no_key_that_signs_and_writes_nothing_without_it(
    state: tuple[Path, str], signalbox: Any, tmp_path: Path
) -> None:
    folder, release = state
    public = json.loads(signalbox(folder, "audit", "key", "--public", "--json")[1])["public"]
    hidden = {"STORAGE": "local", "STATE_DIR": str(folder), "AUDIT_PUBLIC_KEYS": public}
    settings = tmp_path / "settings.json"
    vault = "@Microsoft.KeyVault(SecretUri=https://vault.example.org/secrets/audit)"
    settings.write_text(json.dumps({"Values": hidden | {"AUDIT_KEY": vault}}))
    assert signalbox(folder, "audit", "verify", "--settings", str(settings))[0] == 0
    asked = ("audit", "redact", release, "--reason", "asked for", "--settings", str(settings))
    code, said = signalbox(folder, *asked)
    assert (code, "AUDIT_KEY is not readable here" in said) == (1, True)
    settings.write_text(json.dumps({"Values": hidden | {"CHECKPOINTS": vault}}))
    code, said = signalbox(folder, "audit", "verify", "--settings", str(settings))
    assert (code, "give --checkpoints PLACE" in said) == (1, True)


def test_a_broken_glass_is_said_in_red_confirmed_or_not() -> None:
    said = "live\nTHE GLASS WAS BROKEN by cy, confirmed by eve\nTHE GLASS WAS BROKEN by cy, CONFIRMED BY NOBODY"
    rows = in_red(
        [*said.splitlines(), "09:00  cy  BREAK THE GLASS of a1", "10:00  eve  confirm the broken glass of a1"]
    )
    assert [str(row.style) for row in rows] == ["", *["bold red"] * 4]


def test_where_there_is_no_ledger_it_says_what_to_give(tmp_path: Path, signalbox: Any) -> None:
    code, said = signalbox(tmp_path, "audit", "verify")
    assert (code, "holds no ledger.db: give --state FOLDER, or --settings FILE of an app" in said) == (1, True)


def test_a_stack_signs_with_a_key_of_its_own_and_has_a_second_place_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHECKPOINTS", raising=False)
    plan = Plan(state=tmp_path, projects=tmp_path / "projects.toml", app=tmp_path)
    keys = make_keys(tmp_path)
    told = read_audit(app_settings(plan, keys, "http://a", "http://b"))
    assert (len(told.key), told.checkpoints) == (32, str(tmp_path / "checkpoints"))
    assert make_keys(tmp_path).audit == keys.audit
    monkeypatch.setenv("CHECKPOINTS", "/elsewhere")
    assert read_audit(app_settings(plan, keys, "http://a", "http://b")).checkpoints == "/elsewhere"
