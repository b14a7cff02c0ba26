"""What a stack needs, looked at one by one: each finding is ok, or says what is wrong and what to do."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tools.cli.reach import command, read_json
from tools.doctor import Finding
from tools.doctor.hosted import python

PORTS = {7071: "the app", 7072: "the topic and the stable addresses"}


def examine(state: Path) -> list[Finding]:
    """Return every finding about this machine and the stack of a state folder."""
    run = read_json(state / "run.json")
    findings = [python(), *programs(), *folder(state)]
    gone = [name for name, pid in run.get("pids", {}).items() if not alive(int(pid))]
    up = f"{command()} up --state {state}"
    if not run:
        findings += [*ports(), Finding("stack", f"not up with {state}", up)]
    elif gone:
        about = f"{state / 'run.json'} is stale: {', '.join(gone)} ended without taking it away"
        findings.append(Finding("stack", about, f"{up}    (it goes on where it was)"))
    else:
        findings += [Finding("stack", f"up: {run['host_url']} and {run['grid_url']}"), *answers(state, run)]
    return findings


def programs() -> Iterator[Finding]:
    """Look for git, which people push with, and uv, which builds the projects' environments."""
    for name, path, do in (
        ("git", shutil.which("git"), "install git"),
        ("uv", shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent)), "make setup"),
    ):
        if path is None:
            yield Finding(name, "not found", do)
        else:
            version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
            yield Finding(name, version)


def folder(state: Path) -> Iterator[Finding]:
    """Look at who may read the state folder and its keys."""
    if not state.is_dir():
        yield Finding("state", f"{state} is not there yet", f"{command()} up --state {state}")
        return
    for path, mode in ((state, 0o700), (state / "keys.json", 0o600)):
        if not path.exists():
            yield Finding("state", f"{path} is not there yet", f"{command()} up --state {state}")
            continue
        is_now = stat.S_IMODE(path.stat().st_mode)
        others = is_now & 0o077
        yield Finding("state", f"{path} has mode {is_now:o}", f"chmod {mode:o} {path}" if others else "")


def ports() -> Iterator[Finding]:
    """Look whether the usual ports are free; a taken one is no obstacle, another is chosen."""
    for port, use in PORTS.items():
        with socket.socket() as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        yield Finding("port", f"{port} is taken: {use} will choose another" if taken else f"{port} is free for {use}")


def alive(pid: int) -> bool:
    """Say whether a process of that number is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def answers(state: Path, run: dict[str, Any]) -> Iterator[Finding]:
    """Ask the host, the app and the topic how they are."""
    keys = read_json(state / "keys.json")
    up = f"stop the stack and start it again: {command()} up --state {state}"
    if url := run.get("storage_url"):
        yield storage(url, up)
    status = ask(f"{run['host_url']}/admin/host/status", keys.get("master", ""))
    if status is None:
        yield Finding("host", f"{run['host_url']} does not answer", up)
        return
    errors = status.get("errors") or []
    state_now = str(status.get("state", "unknown"))
    yield Finding("host", state_now, "" if state_now == "Running" else f"mend what it says: {errors}")
    health = ask(f"{run['host_url']}/api/health", "")
    if health is None:
        yield Finding("app", "/api/health does not answer", "look at the host's errors above, mend them, start again")
        return
    if health.get("settings"):
        # Anybody may read health, so it names neither a project nor a secret; the key's holder is told.
        health |= {"settings": refused(f"{run['host_url']}/api/environments", keys["function"]) or health["settings"]}
    yield from loaded(health)
    yield from subscribed(state, health.get("functions", []))
    topic = ask(f"{run['grid_url']}/topics/signalbox/deliveries", keys.get("topic", ""))
    yield Finding("topic", "answers", "") if topic is not None else Finding("topic", "does not answer", up)


def storage(url: str, up: str) -> Finding:
    """Ask Azurite for anything: whoever is refused has reached it."""
    try:
        with httpx.Client(timeout=5, trust_env=False) as client:
            client.get(url)
    except httpx.TransportError as error:
        return Finding("storage", f"Azurite does not answer at {url}: {error}", up)
    return Finding("storage", f"Azurite answers at {url}")


def loaded(health: dict[str, Any]) -> Iterator[Finding]:
    """Say which functions loaded and which did not, and which settings are missing."""
    functions = health.get("functions", [])
    yield Finding("functions", f"{len(functions)} loaded: {', '.join(functions)}")
    for module, error in health.get("failed", {}).items():
        yield Finding("functions", f"{module} did not load: {error}", f"mend functions/{module}.py and start again")
    if health.get("ledger"):
        yield Finding("ledger", str(health["ledger"]), "see that the storage answers, then look again")
    for silent in health.get("silent", []):
        yield Finding("sources", silent, f"look at the webhook or subscription at its sender, then {command()} events")
    for used in health.get("previous_secrets", []):
        # It is believed until it is taken out of projects.toml: this is told, and is no fault of the stack.
        yield Finding(
            "sources", f"{used}: give its webhook the first secret of the project ({command()} events --json)"
        )
    for reason, at in health.get("turned_away", {}).items():
        # Strangers knock at every open door: this is told, and is no fault of the stack.
        yield Finding("sources", f"somebody was turned away, last at {at}: {reason}")
    for target, reason in health.get("untold", {}).items():
        yield Finding(
            "telling", f"{target} hears nothing: {reason}", "mend it; the next thing to tell it is tried anew"
        )
    for setting in health.get("settings", []):
        name = setting.partition(" ")[0]
        # A webhook's secret can be made here, the token of a git host cannot.
        given = " --read < FILE" if "is read with it" in setting else ""
        secret = f"{command()} secret {name.removeprefix('SECRET_')}{given}    then stop the stack and start it again"
        other = "mend projects.toml; a change is read at once" if "projects.toml" in name else f"set {name}"
        yield Finding("settings", setting, secret if name.startswith("SECRET_") else other)


def subscribed(state: Path, functions: list[str]) -> Iterator[Finding]:
    """Say which functions are told of events, and which subscriptions lead nowhere."""
    path = state / "subscriptions.json"
    try:
        rows = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        yield Finding("subscriptions", f"{path} cannot be read: {error}", "take it away and start again: it is remade")
        return
    told = {row["function"] for row in rows if row.get("function")}
    lost = sorted(told - set(functions))
    if lost:
        yield Finding("subscriptions", f"{', '.join(lost)}: no such function is loaded", f"mend {path}")
    yield Finding("subscriptions", f"{len(rows)}: {', '.join(sorted(told))}")


def refused(url: str, key: str) -> list[str]:
    """Return everything that the app lacks, as it tells the holder of a key; nothing when it answers otherwise."""
    try:
        with httpx.Client(timeout=5, trust_env=False) as client:
            answer = client.get(url, headers={"x-functions-key": key})
        return str(answer.json()["error"]).split("; ") if answer.status_code == 500 else []
    except (httpx.TransportError, ValueError, KeyError):
        return []


def ask(url: str, key: str) -> Any:
    """Return the JSON at a URL, None when nothing sensible answers."""
    try:
        with httpx.Client(timeout=5, trust_env=False) as client:
            answer = client.get(url, headers={"x-functions-key": key, "aeg-sas-key": key} if key else {})
        return answer.json() if answer.is_success else None
    except (httpx.TransportError, ValueError):
        return None
