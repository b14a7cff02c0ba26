"""The two files people write: `signalbox.toml` of a project, `projects.toml` of the operator.

What decides about production stands in the operator's file, never in the repository that asks for promotion.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.ids import canonical, sha256

Metric = Literal[
    "rmse",
    "mae",
    "r2",
    "mape",
    "medae",
    "roc_auc",
    "average_precision",
    "log_loss",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "precision",
    "recall",
]


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every table: a key nobody knows is refused, because a misspelt one would be ignored for ever."""


class DataTable(_Table, frozen=True):
    target: str
    files: str = "*.csv"
    schema: str = ""


class TrainTable(_Table, frozen=True):
    script: str = "train.py"
    requirements: str = "requirements.txt"
    arguments: tuple[str, ...] = ("--data", "{data}", "--output", "{output}", "--seed", "{seed}")
    seed: int = 7
    minutes: float = 30.0


class ScoreTable(_Table, frozen=True):
    script: str = "score.py"
    input: Literal["records", "rows"] = "records"


class EvaluateTable(_Table, frozen=True):
    metric: Metric


class TestTable(_Table, frozen=True):
    paths: tuple[str, ...] = ("tests",)


class ProjectFile(_Table, frozen=True):
    """`signalbox.toml`: how a project is trained, scored and tested; paths are within the project's folder."""

    data: DataTable
    evaluate: EvaluateTable
    train: TrainTable = TrainTable()
    score: ScoreTable = ScoreTable()
    test: TestTable = TestTable()


class DataPlace(_Table, frozen=True):
    container: str
    prefix: str = ""


class Holdout(_Table, frozen=True):
    """Which rows no training ever sees: a share of them by a hash of the row, or the newest file."""

    by: Literal["hash", "newest"] = "hash"
    fraction: float = 0.2


class Policy(_Table, frozen=True):
    promote_when: Literal["better", "not worse"] = "better"
    min_gain: float = 0.0
    noise_loss: float = 0.10
    latency_ms: float = 250.0
    answer_days: float = 7.0


class Project(_Table, frozen=True):
    """One entry of `projects.toml`: what the operator decides about a project."""

    repository: str
    approvers: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    branch: str = "main"
    path: str = ""
    quorum: int = 1
    self_approval: bool = False
    data: DataPlace | None = None
    holdout: Holdout = Holdout()
    policy: Policy = Policy()
    drift_monitors: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the entry as it stands, recorded with every release."""
        return sha256(canonical(msgspec.to_builtins(self)))


class Projects(Struct, frozen=True):
    """All of `projects.toml`."""

    projects: Mapping[str, Project]


_T = TypeVar("_T")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def read_project_file(text: str) -> ProjectFile:
    """Read `signalbox.toml`; `NotUnderstood` names line, key, what was found and what is allowed."""
    read = _read("signalbox.toml", text, ProjectFile)
    for key, path in (
        ("data.schema", read.data.schema.partition(":")[0]),
        ("train.script", read.train.script),
        ("train.requirements", read.train.requirements),
        ("score.script", read.score.script),
        *(("test.paths", path) for path in read.test.paths),
    ):
        if path.startswith("/") or ".." in path.split("/"):
            raise NotUnderstood(_at("signalbox.toml", text, key, f'"{path}" leaves the project: use a path within it'))
    if not 0 < read.train.minutes <= 24 * 60:
        raise NotUnderstood(_at("signalbox.toml", text, "train.minutes", "allowed is more than 0 up to 1440"))
    return read


def read_projects(text: str) -> Projects:
    """Read `projects.toml`; `NotUnderstood` names line, key, what was found and what is allowed."""
    read = _read("projects.toml", text, Projects)
    for name, project in read.projects.items():
        if not _NAME.fullmatch(name):
            raise NotUnderstood(f'projects.toml: the project name "{name}" must be lower-case letters, digits and "-"')
        if not 1 <= project.quorum <= len(set(project.approvers)):
            raise NotUnderstood(
                f"projects.toml: {name} asks for {project.quorum} approvals of {len(set(project.approvers))} approvers"
            )
        if not 0 < project.holdout.fraction < 1:
            raise NotUnderstood(f"projects.toml: {name}.holdout.fraction must be between 0 and 1")
    return read


def _read(file: str, text: str, kind: type[_T]) -> _T:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotUnderstood(f"{file} is no TOML: {error}") from error
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise NotUnderstood(_explain(file, text, raw, str(error))) from error


def _explain(file: str, text: str, raw: dict[str, Any], error: str) -> str:
    message, _, path = error.partition(" - at `$")
    path = re.sub(r"\[\.\.\.\]", "", path.rstrip("`").lstrip("."))
    if found := re.match(r"Object contains unknown field `(.+)`", message):
        return _at(file, text, _join(path, found[1]), f'unknown key "{found[1]}"')
    if found := re.match(r"Object missing required field `(.+)`", message):
        return f"{file}: {_join(path, found[1])} is missing"
    value = _value(raw, path)
    if found := re.match(r"Invalid enum value '(.*)'", message):
        allowed = _allowed(path)
        near = difflib.get_close_matches(found[1], allowed, n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        return _at(file, text, path, f'"{found[1]}" is not known here.{hint} Known: {", ".join(allowed)}')
    return _at(file, text, path, f"found {value!r}: {message}")


def _allowed(path: str) -> tuple[str, ...]:
    choices = {
        "evaluate.metric": get_args(Metric),
        "score.input": ("records", "rows"),
        "holdout.by": ("hash", "newest"),
        "policy.promote_when": ("better", "not worse"),
    }
    return next((known for key, known in choices.items() if path.endswith(key)), ())


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _value(raw: Any, path: str) -> Any:
    for key in filter(None, path.split(".")):
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw


def _at(file: str, text: str, path: str, message: str) -> str:
    """Name the line a dotted key stands on, when it can be found."""
    table, _, key = path.rpartition(".")
    inside = not table
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            inside = heading[1].replace('"', "") == table
        elif inside and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
            return f"{file}, line {number}: {line.strip()}: {message}"
    return f"{file}: {path}: {message}"
