"""The real functions, control and steps under every fault: nothing is lost, nothing is doubled, and all of it ends."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation import sweep
from tests.simulation.sweep import Figures

HOUSE = Path(__file__).resolve().parents[2]
WORKERS = 2
PAIRS, SEEDS = 5000, 32
# Thousands of runs in one test: longer than the others on a machine that does something else, too.
pytestmark = pytest.mark.timeout(600)
PATROL = pytest.mark.parametrize("patrol", [False, True], ids=["without the patrol", "with the patrol"])
Record = Callable[[str, object], None]


def show(record: Record, figures: Figures, what: str, patrol: bool) -> None:
    record("figures", figures.told(f"{what}, {'with' if patrol else 'without'} the patrol"))


@PATROL
def test_every_single_fault_of_one_whole_release_ends_with_one_of_everything_in_production(
    patrol: bool, record_property: Record
) -> None:
    figures = sweep.beside(sweep.singles(patrol), WORKERS)
    show(record_property, figures, "single faults", patrol)
    assert figures.violations == []
    assert figures.runs > 900
    assert figures.endings == {"live": figures.runs}
    assert set(figures.faults) >= {"away", "unsaid", "taken", "twice", "late", "crash before", "crash after"}


@PATROL
def test_pairs_of_faults_of_one_whole_release_end_with_one_of_everything_in_production(
    patrol: bool, record_property: Record
) -> None:
    figures = sweep.beside(sweep.some_pairs(patrol, PAIRS // 2, "pairs"), WORKERS)
    show(record_property, figures, "pairs of faults", patrol)
    assert figures.violations == []
    assert figures.endings == {"live": figures.runs}


@PATROL
def test_several_releases_of_several_projects_under_one_fault_in_ten_calls_keep_every_promise(
    patrol: bool, record_property: Record
) -> None:
    figures = sweep.beside(sweep.seeded(patrol, range(SEEDS)), WORKERS)
    show(record_property, figures, "seeded runs", patrol)
    assert figures.violations == []
    assert figures.calls > 100_000
    assert figures.faults.total() > 10_000
    assert {"live", "kept", "rejected", "failed", "superseded", "cancelled", "stale"} <= set(figures.endings)


def test_a_seed_is_the_same_run_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "replay", "many", "3"],
            cwd=HOUSE,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (trace,) = told
    assert len(trace.splitlines()) > 500
