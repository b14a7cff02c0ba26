"""Does the image that was approved give the answers that production gives?

`python tools/verify_image.py IMAGES/PROJECT TAG_OR_DIGEST LIVE_URL DATA.csv [--rows 20] [--seed 7]`

Standard library only, and nothing of Signalbox: every layer is verified against its digest and unpacked into a
temporary folder, its scoring file answers rows of the data in a child process that sees no packages but the image's,
and the same rows are asked of the live URL.
"""

import argparse
import csv
import hashlib
import json
import random
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

CHILD = """
import importlib.util, json, os, sys
path = os.environ["SIGNALBOX_SCORE"]
os.chdir(os.path.dirname(path)); sys.path.insert(0, os.path.dirname(path))
spec = importlib.util.spec_from_file_location("scoring", path)
scoring = importlib.util.module_from_spec(spec); spec.loader.exec_module(scoring)
scoring.init()
answers = [scoring.run(line) for line in sys.stdin.read().splitlines()]
answers = [json.loads(one) if isinstance(one, str) else one for one in answers]
print("\\n" + json.dumps(answers, default=lambda value: value.tolist()))
"""


def blob(layout: Path, digest: str) -> bytes:
    """Return a blob of the layout, verified against its digest."""
    content = (layout / "blobs" / digest.replace(":", "/")).read_bytes()
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise SystemExit(f"{digest} does not hold what its name says.")
    return content


def manifest(layout: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Return digest and manifest of a tag or a digest."""
    for entry in json.loads((layout / "index.json").read_text())["manifests"]:
        if name in (entry["digest"], entry.get("annotations", {}).get("org.opencontainers.image.ref.name")):
            return entry["digest"], json.loads(blob(layout, entry["digest"]))
    raise SystemExit(f"{layout} has no image {name}.")


def unpack(layout: Path, layers: list[dict[str, Any]], root: Path) -> None:
    """Unpack verified layers, lowest first."""
    for layer in layers:
        blob(layout, layer["digest"])
        with tarfile.open(layout / "blobs" / layer["digest"].replace(":", "/"), "r:gz") as archive:
            archive.extractall(root, filter="data")


def environment(config: dict[str, Any], root: Path) -> dict[str, str]:
    """Return the image's environment, its paths led into the folder it was unpacked to."""
    values = dict(pair.split("=", 1) for pair in config["config"]["Env"])
    return {name: str(root / value[1:]) if value.startswith("/") else value for name, value in values.items()}


def drawn(data: Path, schema: dict[str, Any], rows: int, seed: int) -> list[str]:
    """Return request bodies for rows drawn by a seed, one row each, with the features the image's schema names."""
    with data.open(newline="", encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file))
    kinds = {column["name"]: column["type"] for column in schema["columns"]}
    chosen = random.Random(seed).sample(table, min(rows, len(table)))
    records = [{name: cell(row[name], kinds[name]) for name in schema["order"]} for row in chosen]
    shaped = records if schema["input"] == "records" else [list(record.values()) for record in records]
    return [json.dumps({"data": [one]}) for one in shaped]


def cell(text: str, kind: str) -> Any:
    """Return a CSV cell as the JSON value of its kind; an empty one is null."""
    if text == "":
        return None
    if kind in ("integer", "number"):
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return text == "True" if kind == "boolean" else text


def ask_image(bodies: list[str], variables: dict[str, str]) -> list[Any]:
    """Answer by the image's scoring file, under the interpreter below any virtual environment, without its packages."""
    python = getattr(sys, "_base_executable", sys.executable)
    ran = subprocess.run(
        [python, "-S", "-c", CHILD],
        input="\n".join(bodies),
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"The image's scoring file failed:\n{ran.stderr}")
    return list(json.loads(ran.stdout.splitlines()[-1]))


def ask_live(bodies: list[str], url: str) -> list[Any]:
    """Answer by the live address."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answers = []
    for body in bodies:
        request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
        with opener.open(request, timeout=30) as answer:
            answers.append(json.load(answer))
    return answers


def main() -> int:
    """Compare; 0 only when every row is answered alike."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("layout", type=Path, help="the OCI image layout of the project")
    parser.add_argument("image", help="tag (the release's id) or manifest digest")
    parser.add_argument("url", help="the live scoring URL")
    parser.add_argument("data", type=Path, help="a CSV file of the project's data")
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    digest, found = manifest(given.layout, given.image)
    with tempfile.TemporaryDirectory() as folder:
        unpack(given.layout, found["layers"], Path(folder))
        variables = environment(json.loads(blob(given.layout, found["config"]["digest"])), Path(folder))
        schema = json.loads(Path(variables["SIGNALBOX_SCHEMA"]).read_text())
        bodies = drawn(given.data, schema, given.rows, given.seed)
        ours = ask_image(bodies, variables)
    theirs = ask_live(bodies, given.url)
    print("| row | unpacked image | live URL |\n|---|---|---|")
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1):
        print(f"| {number} | {one} | {other} |" + ("" if one == other else " differ"))
    equal = sum(one == other for one, other in zip(ours, theirs, strict=True))
    print(f"\n{digest}, {len(found['layers'])} layers verified, rows drawn by seed {given.seed}")
    print(f"{equal} of {len(bodies)} equal")
    return int(equal != len(bodies))


if __name__ == "__main__":
    sys.exit(main())
