"""Azure beside a demo: the double of the service that the contract tests use, reached by the unmodified SDKs."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.backends.azure.endpoints import Endpoints
from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure as Workspace
from tools.demo.place import HOUSE, Trouble
from tools.local.files import write_json
from tools.local.mailbox import Mailbox
from tools.local.stack import Stack
from tools.local.subscriptions import Subscriptions


class Azure:
    """The double, in a process of its own, and a mailbox for what Event Grid tells people; entered, both answer."""

    def __init__(self, state: Path) -> None:
        self._state = state.resolve()
        self._mailbox = Mailbox(self._state)
        self._double: subprocess.Popen[str] | None = None
        self.environment: Mapping[str, str] = {}
        self.control = ""

    def __enter__(self) -> Self:
        """Start, and let the topic lead to the mailbox."""
        folder, kept = self._state / "azure", self._state / "azure-envs"
        command = [sys.executable, "-m", "tests.azure", "--state", str(folder), "--envs", str(kept), "--with-parent"]
        said = (self._state / "azure.log").open("ab")
        self._double = subprocess.Popen(
            command, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
        )
        said.close()
        assert self._double.stdout is not None
        line = self._double.stdout.readline()
        if not line:
            raise Trouble(f"The double of Azure did not start: {(self._state / 'azure.log').read_text()[-2000:]}")
        ready = json.loads(line)
        self.control, self.environment = ready["control"], ready["environment"]
        path = self._state / "subscriptions.json"
        Subscriptions(path)
        write_json(path, [*json.loads(path.read_text()), self._mailbox.subscription])
        self._mailbox.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both; the double takes its runs and services with it."""
        self._mailbox.__exit__(kind, error, trace)
        if self._double is not None and self._double.stdin is not None:
            self._double.stdin.close()
            self._double.wait(30)

    def publish_to(self, stack: Stack) -> None:
        """Let the events of the subscription go to the topic of a stack that is up."""
        told = {"endpoint": f"{stack.grid_url}/topics/signalbox/api/events", "key": stack.keys.topic}
        request = urllib.request.Request(f"{self.control}/topic", json.dumps(told).encode(), method="POST")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()

    def key(self, project: str) -> str:
        """Return a key of a project's stable address, as whoever may list it gets it by the SDK."""
        command = [sys.executable, "-m", "tools.demo.azure", project, str(self._state / "sdk")]
        surroundings = {**os.environ, **self.environment}
        ran = subprocess.run(command, cwd=HOUSE, env=surroundings, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise Trouble(f"The key of {project} cannot be had: {ran.stderr[-1000:]}")
        return ran.stdout.strip()


def scope(state: Path, environment: Mapping[str, str] = os.environ) -> Scope:
    """Return the scope that the environment of a double names."""
    names = {
        "subscription": "AZURE_SUBSCRIPTION_ID",
        "resource_group": "AZURE_RESOURCE_GROUP",
        "workspace": "AZUREML_WORKSPACE",
        "tenant": "AZURE_TENANT_ID",
        "client": "AZURE_CLIENT_ID",
        "secret": "AZURE_CLIENT_SECRET",
        "location": "AZURE_LOCATION",
    }
    found = {field: environment[name] for field, name in names.items()}
    rest = dict.fromkeys(("compute", "vm_size", "aks", "image", "storage"), "")
    return Scope(**found, **rest, timeout=10.0, attempts=2, state=state)


def main(project: str, state: Path) -> None:
    """Print the key of a project's stable address."""
    azure = Workspace(scope(state))
    default = azure.now(f"the endpoint of {project}", Endpoints(azure).default, project)
    if default is None:
        sys.exit(f"nothing is live at the endpoint of {project}")
    print(default.key)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
