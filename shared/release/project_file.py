"""`signalbox.toml`, which a project's people write: how it is trained, scored and tested.

What decides about production stands in the operator's file (`config`), never in the repository that asks for promotion.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.release import written

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
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 7
    minutes: Annotated[float, Meta(gt=0, le=1440)] = 30.0
    compute: str = ""
    """Where jobs run in Azure; empty: the compute target that the operator set. One machine takes no notice of it,
    nor of what follows."""
    image: str = ""
    conda: str = ""
    max_hours: Annotated[float, Meta(ge=0, le=168)] = 0.0
    """0: the deadline of each job, and an hour to get its compute and environment."""
    pipeline_endpoint: str = ""
    """REST address of a published pipeline that trains in place of `script`; its run leaves outputs/model."""


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


def read_project_file(text: str) -> ProjectFile:
    """Read `signalbox.toml`; `NotUnderstood` names line, key, what was found and what is allowed."""
    file = "signalbox.toml"
    read = written.read(file, text, ProjectFile)
    places: tuple[tuple[written.Keys, str], ...] = (
        (("data", "schema"), read.data.schema.partition(":")[0]),
        (("train", "script"), read.train.script),
        (("train", "requirements"), read.train.requirements),
        (("train", "conda"), read.train.conda),
        (("score", "script"), read.score.script),
        *((("test", "paths", at), path) for at, path in enumerate(read.test.paths)),
    )
    for keys, path in places:
        if path.startswith("/") or ".." in path.split("/"):
            raise written.refused(file, text, keys, written.found(path, "a path within the project"))
    endpoint = read.train.pipeline_endpoint
    if endpoint and not endpoint.startswith("https://"):
        # Whoever starts it sends a token along.
        allowed = "the REST address of a published pipeline, https://..."
        raise written.refused(file, text, ("train", "pipeline_endpoint"), written.found(endpoint, allowed))
    return read
