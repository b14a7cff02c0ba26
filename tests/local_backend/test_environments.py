"""Environments, built by uv for real; those without packages need no network and a second."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.backends.local.environments import bare_python, ensure
from shared.errors import StepFailed


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """What our jobs need, here nothing."""
    path = tmp_path / "requirements.in"
    path.write_text("# nothing\n")
    return path


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "requirements.txt").write_text("\n")
    return folder


def test_an_environment_is_built_once_and_found_again(state: Path, code: Path, ours: Path) -> None:
    said: list[str] = []
    first = ensure(state, code, "requirements.txt", said.append, ours)
    assert said[0] == "building the environment (first time for this lock)"
    said.clear()
    assert ensure(state, code, "requirements.txt", said.append, ours) == first
    assert not said
    assert subprocess.run([first.python, "-c", "pass"], check=False).returncode == 0
    assert first.site.is_dir()
    assert first.lock.startswith("sha256:")


def test_no_file_of_an_environment_is_shared_with_the_cache_of_others(state: Path, code: Path, ours: Path) -> None:
    ours.write_text("iniconfig==2.1.0\n")
    files = [path for path in ensure(state, code, "", print, ours).site.rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_nlink for path in files} == {1}


def test_other_requirements_are_another_environment(state: Path, code: Path, ours: Path) -> None:
    first = ensure(state, code, "requirements.txt", print, ours)
    (code / "requirements.txt").write_text("# another text\n")
    assert ensure(state, code, "requirements.txt", print, ours).key != first.key


def test_many_who_need_it_at_once_build_it_once(state: Path, code: Path, ours: Path) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure(state, code, "requirements.txt", said.append, ours), range(4)))
    assert said.count("building the environment (first time for this lock)") == 1


def test_a_build_that_was_interrupted_is_done_again(state: Path, code: Path, ours: Path) -> None:
    built = ensure(state, code, "requirements.txt", print, ours)
    (state / "envs" / built.key / "built.json").unlink()
    assert ensure(state, code, "requirements.txt", print, ours) == built


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "-e .",
        "--index-url https://example.org/simple",
        "--extra-index-url=https://example.org/simple",
        "pandas @ https://example.org/pandas.whl",
        "git+https://example.org/x.git",
        "https://example.org/x.whl",
        "./wheel.whl",
        "../outside",
        "/etc/passwd",
        "file:///etc/passwd",
        "pandas --no-binary pandas",
        "pandas>=2 \\\n  --index-url https://example.org",
    ],
)
def test_a_requirement_that_is_more_than_a_package_is_refused(state: Path, code: Path, ours: Path, line: str) -> None:
    (code / "requirements.txt").write_text(f"numpy\n{line}\n")
    with pytest.raises(StepFailed, match=r"requirements.txt, line 2: .* is not a package") as caught:
        ensure(state, code, "requirements.txt", print, ours)
    assert caught.value.advice
    assert not (state / "envs").exists()


def test_what_people_write_for_packages_is_accepted(state: Path, code: Path, ours: Path) -> None:
    lines = [
        "# comment",
        "numpy",
        "pandas >= 2, < 4  # why",
        "pandera[pandas]>=0.22",
        "a.b-c_d==1.*",
        "tomli ; python_version < '3.11'",
        "x~=1.0; sys_platform == 'linux'",
        "y==1.0 \\\n    --hash=sha256:00ff",
        "z (>=1.0)",
        "this-package-is-nowhere-at-all==99.0.0.1",
    ]
    (code / "requirements.txt").write_text("\n".join(lines))
    with pytest.raises(StepFailed, match="could not be made into an environment"):
        ensure(state, code, "requirements.txt", print, ours)


@pytest.mark.parametrize("name", ["absent.txt", "folder", "../code/requirements.txt", "/etc/hostname", "a//b"])
def test_a_requirements_file_that_is_not_there_is_named(state: Path, code: Path, ours: Path, name: str) -> None:
    (code / "folder").mkdir()
    with pytest.raises(StepFailed) as caught:
        ensure(state, code, name, print, ours)
    assert name in caught.value.reason


def test_versions_that_exclude_one_another_are_told_with_the_resolvers_words(
    state: Path, code: Path, ours: Path
) -> None:
    (code / "requirements.txt").write_text("joblib>=1.4\n")
    ours.write_text("joblib<1.4\n")
    with pytest.raises(StepFailed, match="joblib") as caught:
        ensure(state, code, "requirements.txt", print, ours)
    assert "change the versions" in caught.value.advice
    assert "what runs them needs joblib<1.4" in caught.value.advice
    assert not re.search("No solution found|error:|cause:", caught.value.reason)


def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_a_package(
    state: Path, code: Path, ours: Path
) -> None:
    (code / "requirements.txt").write_bytes(b"\xef\xbb\xbfiniconfig==2.1.0\r\n")
    assert list(ensure(state, code, "requirements.txt", print, ours).site.glob("iniconfig"))


def test_the_bare_interpreter_has_no_packages(state: Path) -> None:
    python = bare_python(state)
    assert bare_python(state) == python
    found = subprocess.run([python, "-I", "-c", "import sklearn"], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in found.stderr
