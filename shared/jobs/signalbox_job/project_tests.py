"""The project's own tests, run by pytest in a child process at the commit."""

import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from .children import Ended, advice_after, blame, how_it_ended, run_child, shortened
from .outcome import Job, JobFailed

INI_FILES = ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml")
SECTIONS = {"pyproject.toml": "[tool.pytest", "tox.ini": "[pytest]", "setup.cfg": "[tool:pytest]"}
NO_TESTS_COLLECTED = 5


@dataclass(frozen=True)
class Tested:
    """What the tests came to; `note` when there are none."""

    count: int
    seconds: float
    note: str = ""


def run_tests(job: Job) -> Tested:
    """Run the project's tests; `JobFailed` names the first one that fails."""
    named = [str(path) for path in job.setting("tests", ["tests"])]
    paths = [path for path in named if (job.code / path).exists()]
    if not paths:
        return Tested(0, 0.0, f"the project has no tests: {', '.join(named) or 'none named'} is not in the commit")
    with tempfile.TemporaryDirectory(dir=job.outputs.parent) as folder:
        report = Path(folder, "report.xml")
        options = ["-q", "--color=no", "-p", "no:cacheprovider", f"--junitxml={report}", *_own_settings(job, folder)]
        ended = run_child([job.python, "-m", "pytest", *options, *paths], job.code, {})
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    if ended.code == NO_TESTS_COLLECTED:
        return Tested(0, ended.seconds, f"the project has no tests in {', '.join(paths)}")
    if ended.code != 0:
        raise _failed(ended, cases, job)
    ran = [case for case in cases if case.find("skipped") is None]
    return Tested(len(ran), ended.seconds, "" if ran else "every test of the project is skipped")


def _own_settings(job: Job, folder: str) -> list[str]:
    """Keep pytest from finding the settings of a folder above the project, unless the project has its own."""
    own = any((job.code / name).exists() for name in INI_FILES) or any(
        (job.code / name).exists() and section in (job.code / name).read_text(encoding="utf-8", errors="replace")
        for name, section in SECTIONS.items()
    )
    if own:
        return [f"--rootdir={job.code}"]
    empty = Path(folder, "pytest.ini")
    empty.write_text("[pytest]\n", encoding="utf-8")
    return ["-c", str(empty), f"--rootdir={job.code}"]


def _failed(ended: Ended, cases: list[ElementTree.Element], job: Job) -> JobFailed:
    bad = [(case, fault) for case in cases for fault in case if fault.tag in ("failure", "error")]
    advice = f"Correct the code or the test and push; pytest's whole output: signalbox logs {job.release} {job.step}"
    if not bad:
        return JobFailed(f"pytest did not run the project's tests: {_why(ended, job)}", advice)
    case, fault = bad[0]
    module, name = case.get("classname", ""), case.get("name", "")
    where = f"{module.replace('.', '/')}::{name}" if module else name.replace(".", "/")
    said = shortened(_said(fault))
    return JobFailed(
        f"{len(bad)} of {len(cases)} tests of the project fail, first {where}: {said}", advice_after(said, advice)
    )


def _said(fault: ElementTree.Element) -> str:
    """Return what a test said; a file that could not be collected says it on pytest's last line marked E."""
    message = fault.get("message") or fault.tag
    if message != "collection failure":
        return message
    marked = [line[1:].strip() for line in (fault.text or "").splitlines() if line.startswith("E  ")]
    return marked[-1] if marked else message


def _why(ended: Ended, job: Job) -> str:
    return blame(ended, job.code) if ended.errors.strip() else how_it_ended(ended.code)
