"""What the whole run has to say at its end."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded: a proof that does not say how much it looked at proves little."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    figures = [str(value) for each in reports for name, value in each.user_properties if name == "figures"]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
