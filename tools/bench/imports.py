"""What importing the app costs, as a ratio: CPU of `import function_app` to CPU of `import azure.functions`.

The two are taken in turns, in new processes, and compared by their medians, so that a busy machine disturbs both.
`python -m tools.bench.imports` exits 1 above the bar.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
BAR = 1.5
RUNS = 20
CODE = "import time, {module}; print(time.process_time())"


def cpu(module: str) -> float:
    """Return the CPU seconds of a new interpreter that imports one module."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", CODE.format(module=module)]
    return float(subprocess.run(command, cwd=HOUSE, env=environment, capture_output=True, check=True).stdout)


def main() -> int:
    """Measure and print; 1 above the bar."""
    both = ("function_app", "azure.functions")
    for module in both:
        cpu(module)
    taken: dict[str, list[float]] = {module: [] for module in both}
    for _ in range(RUNS):
        for module in both:
            taken[module].append(cpu(module))
    app, functions = (statistics.median(taken[module]) for module in both)
    print(f"import function_app {app * 1000:.0f} ms, import azure.functions {functions * 1000:.0f} ms (CPU, medians)")
    print(f"ratio {app / functions:.2f}, bar {BAR}")
    return int(app / functions > BAR)


if __name__ == "__main__":
    sys.exit(main())
