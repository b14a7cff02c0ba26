"""The operator's projects.toml: which one is meant, and where it says that data goes."""

import os
import sys
import tomllib
from pathlib import Path

import typer

from tools.cli.reach import Refused, command, read_json


def projects_file(state: Path, given: Path | None) -> Path:
    """Return the operator's file: the given one, the state folder's, the one here, else a new one without projects."""
    if given is not None:
        if not given.is_file():
            raise typer.BadParameter(f"{given} is not there: it names your projects. README.md shows one in ten lines.")
        return given
    made = state / "projects.toml"
    if found := next((file for file in (made, Path("projects.toml")) if file.is_file()), None):
        return found
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    made.write_text("# Your projects, one table each: README.md shows one. A change is read at once.\n[projects]\n")
    sys.stderr.write(f"No projects yet: add yours to {made}, and the webhook's secret with {command()} secret NAME.\n")
    return made


def uploads(given: list[Path]) -> dict[str, Path]:
    """Return what to upload by its name: a file by its own, what a folder holds by its path within it.

    `Refused` when something of it would be lost: two files of one name, an empty one, a folder without any.
    """
    named: dict[str, Path] = {}
    for path in given:
        below = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        found = {file.relative_to(path).as_posix() if path.is_dir() else file.name: file for file in below}
        shown = {name: file for name, file in found.items() if not f"/{name}".count("/.") or not path.is_dir()}
        if not shown:
            raise Refused(f"{path} holds no files.")
        for name, file in shown.items():
            if name in named:
                raise Refused(
                    f"{named[name]} and {file} would both become {name}: give the folder above both, which keeps paths."
                )
            if not file.stat().st_size:
                raise Refused(f"{file} is empty: no release would see it.")
        named |= shown
    return named


def data_place(state: Path, project: str) -> tuple[str, str]:
    """Return the container and the prefix of a project's data, from the operator's projects.toml."""
    up = read_json(state / "run.json").get("projects")
    named = [Path(path) for path in (os.environ.get("PROJECTS"), up, state / "projects.toml", "projects.toml") if path]
    file = next((path for path in named if path.is_file()), None)
    if file is None:
        raise Refused(
            f"There is no {named[0]}: it says where a project's data goes. Set PROJECTS to your projects.toml."
        )
    projects = tomllib.loads(file.read_text())["projects"]
    if project not in projects:
        raise Refused(f"{file} names no project {project}; it names {', '.join(sorted(projects)) or 'none'}.")
    place = projects[project].get("data")
    if not place:
        raise Refused(f'{file} gives {project} no data: add data = {{ container = "{project}" }} to its entry.')
    return place["container"], place.get("prefix", "")
