"""One double a test process; every test that uses it finds it as new, and is checked when it ends."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from tests import storage
from tests.azure.releases import Tiny
from tests.azure.stand_in import HOUSE, StandIn


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the environment that serves is made, when a test wants one."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def serving(server_folder: Path) -> Path:
    """An environment that holds the scoring server and nothing else, for the tiny models of the tests."""
    from uv import find_uv_bin

    needed = (HOUSE / "shared/jobs/requirements.in").read_text()
    server = [line for line in needed.splitlines() if line.startswith(("azureml-inference-server-http", "gunicorn"))]
    python = server_folder / "bin" / "python"
    for command in (
        ["venv", "--quiet", "--no-project", "--python", sys.executable, "--clear", str(server_folder)],
        ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *server],
    ):
        subprocess.run([find_uv_bin(), *command], check=True)
    return python


@pytest.fixture(scope="session")
def running_double(tmp_path_factory: pytest.TempPathFactory, server_folder: Path) -> Iterator[StandIn]:
    """A double in a process of its own, for all tests of this process."""
    options = ["--interpreter", sys.executable, "--server", str(server_folder / "bin" / "python")]
    one = StandIn(tmp_path_factory.mktemp("double"), *options)
    yield one
    one.stop()


@pytest.fixture(scope="session")
def azure_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all tests of this process: the SDK settles on its home when it is imported."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def azurite() -> str:
    """The connection string of Azurite, started while HOME is still the one that has npm's cache."""
    return storage.connection()


@pytest.fixture
def double(
    running_double: StandIn, azure_home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[StandIn]:
    """The double, empty, with the environment in which a client reaches it; nothing may stay without a route."""
    running_double.ask("POST", "/reset")
    for name, value in running_double.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(azure_home))
    # Without it the SDK asks ARM for the list of clouds first.
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")
    yield running_double
    running_double.ask("DELETE", "/faults")
    request.node.user_properties.append(("azure routes", "\n".join(running_double.ask("GET", "/routes"))))
    assert running_double.misfits() == [], "an answer of the double does not fit the SDK's own model"
    assert running_double.unrouted() == [], "the double has no route for what was asked: a stray host, or a new call"


@pytest.fixture
def scope(double: StandIn, tmp_path: Path) -> Scope:
    """The scope of the double's workspace, as a service principal."""
    its = double.environment
    return Scope(
        subscription=its["AZURE_SUBSCRIPTION_ID"],
        resource_group=its["AZURE_RESOURCE_GROUP"],
        workspace=its["AZUREML_WORKSPACE"],
        tenant=its["AZURE_TENANT_ID"],
        client=its["AZURE_CLIENT_ID"],
        secret=its["AZURE_CLIENT_SECRET"],
        location=its["AZURE_LOCATION"],
        compute="signalbox-cpu",
        vm_size="Standard_DS2_v2",
        aks="signalbox-aks",
        image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest",
        timeout=10.0,
        attempts=2,
        storage="",
        state=tmp_path / "azure",
    )


@pytest.fixture
def azure(scope: Scope) -> Azure:
    """Our way to the double's workspace, new for each test."""
    return Azure(scope)


@pytest.fixture
def workspace(azure: Azure) -> Any:
    """The SDK's Workspace of the double."""
    return azure.workspace()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def tiny(serving: Path, double: StandIn, azure: Azure) -> Tiny:
    """A release of a tiny model; what serves it is fetched before the way out leads to the double alone."""
    return Tiny(double, azure)
