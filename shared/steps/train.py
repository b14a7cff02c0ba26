"""train: the project's own training script, on the train part of the data only."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared.ports import JobSpec
from shared.release.facts import Trained
from shared.steps.turn import Found, Turn, look_at_job, read_result


class _Model(Struct, frozen=True):
    digest: str
    bytes: int


class _Result(Struct, frozen=True):
    rows: int
    holdout_rows: int
    model: _Model
    labels: dict[str, Any] = {}


async def look(turn: Turn) -> Found:
    """Look at the training job; the files it wrote are known by their digest."""
    name = turn.job_name("train")
    train = turn.file.train
    settings = {"script": train.script, "arguments": list(train.arguments)}

    def ended(result: str, seconds: float) -> Trained:
        read = read_result(result, _Result, name)
        return Trained(
            round=turn.round,
            job=name,
            model=read.model.digest,
            bytes=read.model.bytes,
            rows=read.rows,
            holdout_rows=read.holdout_rows,
            labels=read.labels,
            seconds=seconds,
        )

    def spec() -> JobSpec:
        job = turn.job("train", name, {}, settings, int(train.minutes * 60))
        return replace(job, target=replace(job.target, pipeline=train.pipeline_endpoint))

    return await look_at_job(turn, name, spec, ended)
