"""The real functions, control and steps under every fault: nothing is lost, nothing is doubled, and all of it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import sweep
from tests.simulation.sweep import Figures

WORKERS = int(os.environ.get("SIMULATION_WORKERS", "2"))
PAIRS, SEEDS, BASE = 5000, 40, 0
PATROL = pytest.mark.parametrize("patrol", [False, True], ids=["without the patrol", "with the patrol"])


def show(figures: Figures, what: str, patrol: bool, terminal: pytest.TerminalReporter) -> None:
    """Print what was run: a proof that does not say how much it looked at proves little."""
    terminal.write_line("")
    terminal.write_line(figures.told(f"{what}, {'with' if patrol else 'without'} the patrol"))


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> pytest.TerminalReporter:
    found: pytest.TerminalReporter = request.config.pluginmanager.getplugin("terminalreporter")
    return found


@PATROL
def test_every_single_fault_of_one_whole_release_ends_with_one_of_everything_in_production(
    patrol: bool, terminal: pytest.TerminalReporter
) -> None:
    figures = sweep.beside(sweep.singles(patrol), WORKERS)
    show(figures, "single faults", patrol, terminal)
    assert figures.violations == []
    assert figures.runs > 900
    assert figures.endings == {"live": figures.runs}


@PATROL
def test_pairs_of_faults_of_one_whole_release_end_with_one_of_everything_in_production(
    patrol: bool, terminal: pytest.TerminalReporter
) -> None:
    figures = sweep.beside(sweep.some_pairs(patrol, PAIRS // 2, "pairs"), WORKERS)
    show(figures, "pairs of faults", patrol, terminal)
    assert figures.violations == []
    assert figures.endings == {"live": figures.runs}


@PATROL
def test_several_releases_of_several_projects_under_one_fault_in_ten_calls_keep_every_promise(
    patrol: bool, terminal: pytest.TerminalReporter
) -> None:
    figures = sweep.beside(sweep.seeded(patrol, range(BASE, BASE + SEEDS)), WORKERS)
    show(figures, "seeded runs", patrol, terminal)
    assert figures.violations == []
    assert figures.calls > 50_000
    assert figures.faults.total() > 5_000
    assert figures.endings["live"] > 50


def test_a_seed_is_the_same_run_in_every_process() -> None:
    code = (
        "from tests.simulation import sweep\n"
        "with sweep.unlogged():\n"
        "    run = sweep.run_of(('many', True, 3), trace=True)\n"
        "    run.until_rest()\n"
        "print('\\n'.join(run.host.trace))\n"
    )
    house = Path(__file__).resolve().parents[2]
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=house,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(house)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (trace,) = told
    assert len(trace.splitlines()) > 500
