"""What the whole run has to say at its end."""

from pathlib import Path

import pytest

# The double of Azure, for its own tests and the contracts of the ports: one a process, whoever asks first.
pytest_plugins = ["tests.azure.fixtures"]
HERE = Path(__file__).parent
# The files that take longest, the longest first: one that is begun last is waited for while nothing else is left.
LONGEST = (
    "simulation/test_simulation.py",
    "jobs/test_jobs_run.py",
    "azure/test_runs.py",
    "azure/test_endpoints.py",
    "simulation/test_planted.py",
    "contracts/test_storage_operations.py",
    "local_backend/test_services.py",
    "local_host/test_local_supervisor.py",
    "stories/test_crashes.py",
    "azure/test_hosting.py",
    "local_host/test_local_azurite.py",
    "histories/test_histories.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others keep their order."""
    order = {HERE / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(LONGEST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded: a proof that does not say how much it looked at proves little."""
    _azure_routes(terminalreporter)
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    figures = [str(value) for each in reports for name, value in each.user_properties if name == "figures"]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)


def _azure_routes(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which routes of Azure the contract tests asked, and which of the double nobody did."""
    ended = [each for each in terminalreporter.getreports("") if getattr(each, "when", "") == "teardown"]
    told = [str(value) for each in ended for name, value in each.user_properties if name == "azure routes"]
    if not told:
        return
    from tests.azure.double import load
    from tests.azure.double.wire import ROUTES

    load()
    touched = {route for each in told for route in each.splitlines()}
    known = {each.name for each in ROUTES if each.hosts != ("control",)}
    terminalreporter.section("routes of Azure")
    terminalreporter.write_line(f"{len(told)} contract tests asked {len(touched)} of the double's {len(known)} routes")
    for route in sorted(touched):
        terminalreporter.write_line(f"  {route}")
    for route in sorted(known - touched):
        terminalreporter.write_line(f"  not asked: {route}")
