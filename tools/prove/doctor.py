"""doctor: a good configuration of an app in Azure is told to be good, and all that is wrong with a broken one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.azure import configured
from tests.azure.stand_in import StandIn
from tools.prove.telling import Telling

HOUSE = Path(__file__).resolve().parents[2]
# What an operator gets wrong, and the words in which it is told.
WRONG = {
    "APPROVAL_KEY": ("change-me-before-use", "APPROVAL_KEY can be guessed"),
    "PUBLIC_URL": ("http://127.0.0.1:7071", "PUBLIC_URL is 'http://127.0.0.1:7071', which leads to this machine"),
    "AZURE_SUBSCRIPTION_ID": ("our subscription", "AZURE_SUBSCRIPTION_ID is 'our subscription'"),
    "AZUREML_COMPUTES": ("cpu", "AZUREML_COMPUTES is read by nobody: AZUREML_COMPUTE is meant"),
}
# What is well written and yet does not work.
REFUSED = {
    "AZURE_CLIENT_SECRET": ("expired-long-ago", "AADSTS7000215"),
    "TOPIC_KEY": ("the key before it was rotated", "it takes no events of ours: it answers 401"),
}


def prove(root: Path, telling: Telling) -> None:
    """Over the double of Azure: good, wrong settings, refused by Azure, one function never told of its events."""
    folder = root.absolute() / "doctor"
    folder.mkdir(parents=True, exist_ok=True)
    double = StandIn(folder / "double")
    try:
        configured.subscribe(double, without="on_run_ended")
        good = configured.settings(double, folder)
        told, code = asked(double, folder, good, telling)
        line = "on_run_ended is not told of RunCompleted, RunStatusChanged by the workspace"
        telling.claim("a subscription that is missing is told with the line that makes it", line in told and code == 1)
        subscribe_run_ended(double)
        told, code = asked(double, folder, good, telling)
        telling.claim("a good configuration is told to be good", "!!" not in told and code == 0, f"exit code {code}")
        for wrong in (WRONG, REFUSED):
            broken = good | {name: value for name, (value, _) in wrong.items()}
            told, code = asked(double, folder, broken, telling)
            lacking = [words for _, words in wrong.values() if words not in told]
            telling.claim(
                "everything that is wrong is told at once", not lacking and code == 1, lacking or "exit code 1"
            )
            telling.claim("no secret is told", "expired-long-ago" not in told and "before it was rotated" not in told)
    finally:
        double.stop()


def subscribe_run_ended(double: StandIn) -> None:
    """Make the subscription that was missing."""
    row = {"source": configured.sources(double)["the workspace"], "function": "on_run_ended"}
    double.ask("POST", "/subscriptions", row)


def asked(double: StandIn, folder: Path, settings: dict[str, str], telling: Telling) -> tuple[str, int]:
    """Run `signalbox doctor` over these settings and print what it says; return that, and its exit code."""
    path = folder / "local.settings.json"
    path.write_text(json.dumps({"IsEncrypted": False, "Values": settings}))
    path.chmod(0o600)
    command = [sys.executable, "-m", "tools.cli", "doctor", "--settings", str(path)]
    ran = subprocess.run(
        command, cwd=HOUSE, env={**os.environ, **double.environment}, capture_output=True, text=True, check=False
    )
    telling.say(f"\n$ signalbox doctor --settings {path.name}")
    for line in (ran.stdout + ran.stderr).splitlines():
        telling.say(line)
    return ran.stdout, ran.returncode
