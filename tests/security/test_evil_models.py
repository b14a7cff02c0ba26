"""Twelve models that act where they are loaded, or where their folder is looked at as code."""

import ast
import asyncio
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.backends.local import layers, trees
from shared.backends.local.registry import LocalRegistry
from shared.backends.local.tarballs import write_layer

HOUSE = Path(__file__).resolve().parents[2]
RELEASE = "0123456789abcdef0123"
UNPICKLERS = {"pickle", "_pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve", "skops", "numpy", "pandas"}
SDK_LOCAL = ("LocalWebservice", "azureml.core.webservice.local", "deploy_local")


class Acts:
    """A model whose pickle calls something."""

    def __init__(self, call: Callable[..., Any], *given: Any) -> None:
        self._call = (call, given)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def evil(folder: Path, canaries: Path) -> None:
    """Write twelve models below a folder; number n leaves the file n among the canaries where it acts."""
    import cProfile
    import os
    import runpy

    import joblib
    import numpy

    def leaves(number: int) -> str:
        return f"open({str(canaries / str(number))!r}, 'w').close()"

    pickled = {
        1: Acts(os.system, f"touch {canaries}/1"),
        2: Acts(exec, leaves(2)),
        3: Acts(eval, leaves(3)),
        4: Acts(subprocess.check_call, ["touch", f"{canaries}/4"]),
        5: Acts(runpy._run_code, leaves(5), {}),  # type: ignore[attr-defined]
        6: Acts(pickle.loads, pickle.dumps(Acts(exec, leaves(6)))),
        7: Acts(cProfile.run, leaves(7), f"{canaries}/profile"),
        8: {"coefficients": [1.0, Acts(exec, leaves(8))], "intercept": 0.0},
    }
    for number, model in pickled.items():
        (folder / str(number)).mkdir()
        (folder / str(number) / "model.pkl").write_bytes(pickle.dumps(model))
    for number in range(9, 13):
        (folder / str(number)).mkdir()
    joblib.dump(Acts(exec, leaves(9)), folder / "9" / "model.joblib", compress=9)
    numpy.save(folder / "10" / "weights.npy", numpy.array([Acts(exec, leaves(10))], dtype=object))
    (folder / "11" / "sitecustomize.py").write_text(leaves(11))
    (folder / "12" / "model.pth").write_text(f"import sys; {leaves(12)}\n")


LOADED = """
import pathlib, pickle, runpy, site, sys
import joblib, numpy
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.*")):
    load = {
        ".pkl": lambda: pickle.loads(path.read_bytes()),
        ".joblib": lambda: joblib.load(path),
        ".npy": lambda: numpy.load(path, allow_pickle=True),
        ".py": lambda: runpy.run_path(str(path)),
        ".pth": lambda: site.addsitedir(str(path.parent)),
    }
    load[path.suffix]()
"""


def test_no_evil_model_acts_where_it_is_registered_and_packaged(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    canaries, state = tmp_path / "canaries", tmp_path / "state"
    model = state / "jobs" / f"{RELEASE}-train-1" / "outputs" / "model"
    canaries.mkdir()
    model.mkdir(parents=True)
    evil(model, canaries)
    registry = LocalRegistry(state)
    asyncio.run(registry.register("tiny", RELEASE, f"job:{RELEASE}-train-1/model", {}))
    kept, digest = registry.files_of("tiny", 1)
    layer = tmp_path / "layer.tar.gz"
    write_layer(layer, [(f"model/{name}", path) for name, path in trees.files(kept)])
    layers._unpack_now(layer, tmp_path / "unpacked")
    assert trees.folder_digest(tmp_path / "unpacked" / "model") == digest
    assert list(canaries.iterdir()) == []
    # Where they are loaded all of them act: nothing of the above was spared by chance.
    subprocess.run([sys.executable, "-c", LOADED, str(model)], check=True, capture_output=True)
    acted = {path.name for path in canaries.iterdir()} - {"profile"}
    record_property("figures", f"evil models: {len(acted)} act where they are loaded, none where they are registered")
    assert acted == {str(number) for number in range(1, 13)}


def test_nothing_but_jobs_can_load_a_model() -> None:
    loading = set()
    for path in [*HOUSE.glob("shared/**/*.py"), *HOUSE.glob("functions/*.py"), HOUSE / "function_app.py"]:
        if HOUSE / "shared" / "jobs" in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if UNPICKLERS & {name.split(".")[0] for name in names}:
                loading.add(path.relative_to(HOUSE).as_posix())
    assert loading == set()


def test_nothing_uses_the_sdks_local_service() -> None:
    paths = [*HOUSE.glob("shared/**/*.py"), *HOUSE.glob("functions/*.py"), *HOUSE.glob("tools/**/*.py")]
    assert [path for path in paths if any(word in path.read_text() for word in SDK_LOCAL)] == []
