"""Fit who pays back."""

import json
import os
import pickle
from pathlib import Path

from pieces import COLUMNS, Table
from sklearn.ensemble import RandomForestClassifier


def main() -> None:
    folder, output = Path(os.environ["SIGNALBOX_DATA"]), Path(os.environ["SIGNALBOX_OUTPUT"])
    loans = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    table = Table()
    forest = RandomForestClassifier(30, max_depth=4, random_state=int(os.environ["SIGNALBOX_SEED"]))
    forest.fit(table.transform([[loan[name] for name in COLUMNS] for loan in loans]), [loan["end"] for loan in loans])
    (output / "parts").mkdir()
    (output / "parts" / "table.pkl").write_bytes(pickle.dumps(table))
    (output / "forest.pkl").write_bytes(pickle.dumps(forest))
    print("files seen:", ", ".join(sorted(path.name for path in folder.iterdir())))


if __name__ == "__main__":
    main()
