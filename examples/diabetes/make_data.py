"""Write diabetes.csv: scikit-learn's diabetes data in raw units (Efron et al., Least Angle Regression, 2004)."""

import argparse
from pathlib import Path

from sklearn.datasets import load_diabetes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("."))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    data = load_diabetes(scaled=False)
    lines = [",".join([*data.feature_names, "target"])]
    lines += [
        ",".join(f"{value:g}" for value in (*row, target)) for row, target in zip(data.data, data.target, strict=True)
    ]
    path = folder / "diabetes.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path}: {len(lines) - 1} rows")


if __name__ == "__main__":
    main()
