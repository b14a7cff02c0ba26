"""Build the package that is deployed, and try it: `make package`, or `python -m tools.package`.

The zip holds what .funcignore leaves.
Microsoft's worker then loads it from the unzipped folder, on Python 3.13 and with only what requirements.txt gives, and
every answer and every recorded fact is held against the local host's.
Exit code 1 when something differs or nothing could be packed, 3 when it could not be tried for want of a Python 3.13.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.interpreter import NoPython313
from tools.package import archive, ground, judges, needs

HOUSE = Path(__file__).resolve().parents[2]
OUT = HOUSE / ".package/signalbox.zip"
AT_DEPLOYMENT = "func azure functionapp publish APP --python"


class Progress:
    """One line for each thing that was done, with the seconds since the one before."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, what: str, found: str) -> None:
        """Print a line."""
        now = time.monotonic()
        print(f"  {what:<9} {found}  ({now - self._began:.1f} s)", flush=True)
        self._began = now


def main() -> int:
    """Build, try, and say what came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.package", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=OUT, help="where the zip is written [.package/signalbox.zip]")
    parser.add_argument("--only-pack", action="store_true", help="build the zip and do not try it")
    given = parser.parse_args()
    progress = Progress()
    try:
        package = packed(given.out, progress)
        if not given.only_pack:
            tried(package, progress)
    except archive.NoPackage as error:
        print(error)
    except NoPython313 as missing:
        install = "Install one, for example: .venv/bin/uv python install 3.13"
        print(f"{missing}; the package was built and not tried. {install}")
        return 3
    except judges.Different as error:
        print(f"The worker and the local host do not say the same:\n{error}")
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(map(str, error.cmd))} ended with {error.returncode}; see above.")
    else:
        print(f"\nNext: {AT_DEPLOYMENT}    (the tools pack the same files, Azure installs requirements.txt)")
        return 0
    return 1


def packed(out: Path, progress: Progress) -> archive.Package:
    """Write the zip and say what is in it, and what is not needed of what it will install."""
    package = archive.build(HOUSE, out)
    if lacking := needs.lacking(HOUSE, deployed(package.names)):
        told = ", ".join(f"{module} ({place})" for module, place in lacking.items())
        raise archive.NoPackage(
            f"requirements.txt does not give what is imported: {told}. Add it to pyproject.toml, make lock."
        )
    progress.tell("packed", f"{len(package.names)} files, {package.bytes:,} bytes: {package.path}")
    print(f"            sha256 {package.digest}")
    for name in unknown_to_git(package.names):
        print(f"            {name} is packed, though git does not know it")
    return package


def deployed(names: Sequence[str]) -> list[str]:
    """Return what of a package has a part in an app on Azure."""
    return [name for name in names if not name.startswith(needs.LOCAL)]


def unknown_to_git(names: tuple[str, ...]) -> list[str]:
    """Return the files that no commit will ever explain; none where git has no part."""
    told = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=False)
    return [] if told.returncode else sorted(set(names) - set(told.stdout.splitlines()))


def tried(package: archive.Package, progress: Progress) -> None:
    """Call the unzipped package on the worker and on the local host; raises Different or NoPython313."""
    with tempfile.TemporaryDirectory(prefix="signalbox-package-") as name:
        folder = Path(name)
        app = folder / "app"
        with zipfile.ZipFile(package.path) as opened:
            opened.extractall(app)
        if not judges.DEPLOYED.exists():
            print(
                "            requirements.txt is installed on a Python 3.13; the first time that takes a while",
                flush=True,
            )
        python = judges.deployed_python(app)
        judges.workers_packages()
        count = len(needs.locked((app / "requirements.txt").read_text()))
        idle = ", ".join(needs.idle(HOUSE, package.names))
        progress.tell("installed", f"{count} packages of requirements.txt, by their hashes, on {version(python)}")
        print(f"            never imported by the app itself: {idle}")
        modules = sorted(needs.imported(HOUSE, deployed(package.names)), key=lambda name: (name.count("."), name))
        judges.importable(app, modules)
        progress.tell("imported", f"{len(modules)} names of packages, those too that are imported only when needed")
        judged = judges.judged(app, ground.prepare(folder), folder)
        progress.tell("indexed", f"{len(judged.functions)} functions: {', '.join(judged.functions)}")
        progress.tell(
            "called", f"{judged.calls} calls, each answered as by the local host; {judged.facts} facts, the same"
        )
        seconds = judges.cold_start(app, folder)
        progress.tell("cold", f"{seconds:.2f} s from the start of the process to all functions indexed, median of 5")


def version(python: Path) -> str:
    """Return what an interpreter says it is."""
    return subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
