"""What people read holds: generated parts are in step, links lead somewhere, samples are understood by the app."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from shared.release.config import read_projects
from shared.release.project_file import read_project_file
from tools.cli import audit, keeping, orphans, people, provision, rules

HOUSE = Path(__file__).resolve().parents[1]
PAGES = sorted([*HOUSE.glob("*.md"), *HOUSE.glob("docs/*.md"), *HOUSE.glob("examples/*/*.md")])


def samples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (HOUSE / "README.md").read_text(), re.S)


def generator(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tools.docs", *arguments], cwd=HOUSE, capture_output=True, text=True)


def test_the_pictures_and_tables_are_what_the_code_says() -> None:
    ran = generator("--check")
    assert ran.returncode == 0, ran.stdout


def test_a_page_out_of_step_is_found_and_made_anew(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text((HOUSE / "README.md").read_text().replace("| train |", "| trian |"))
    assert "-| trian |" in generator("--check", page).stdout
    assert generator(page).returncode == 0
    assert page.read_text() == (HOUSE / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(HOUSE).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_sample_of_a_project_is_understood() -> None:
    project = next(text for text in samples("toml") if "[evaluate]" in text)
    assert read_project_file(project).evaluate.metric == "rmse"


def test_the_sample_of_the_operator_is_understood() -> None:
    whole, decides = (text for text in samples("toml") if "[projects." in text and "approvers" in text)
    assert read_projects(whole).projects["prices"].quorum == 1
    rules = decides.replace("approvers =", 'repository = "https://git.example.org/team/prices.git"\napprovers =', 1)
    assert read_projects(rules).projects["prices"].required == ("@risk",)


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"`signalbox ([a-z]+)", (HOUSE / "README.md").read_text()))
    assert people.app is provision.app is orphans.app is audit.app is keeping.app is rules.app
    known = set(typer.main.get_command(people.app).commands)  # type: ignore[attr-defined]
    assert named - known == set()
    assert known - named - {"reject"} == set()


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (HOUSE / "Makefile").read_text(), re.M))
    named = {name for page in PAGES for name in re.findall(r"\bmake ([a-z]+)", page.read_text())}
    assert {"demo", "test", "check"} <= named
    assert named - targets <= {"sure"}


def test_nothing_names_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=True).stdout
    private = re.compile(r"/(?:root|work/main|tmp/brief)\b")
    found = [
        name
        for name in listed.splitlines()
        if name.endswith((".py", ".md", ".toml", ".txt", ".yml", ".sh", ".ini", ".json", "run"))
        and name != "tests/test_docs.py"
        and (HOUSE / name).is_file()
        and private.search((HOUSE / name).read_text())
    ]
    assert found == []
