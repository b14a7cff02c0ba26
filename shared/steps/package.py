"""package: model, scoring file and locked dependencies as an image; from here on its digest is what people approve."""

import json

from shared.errors import StepFailed
from shared.ports import ImageSpec
from shared.release import adopted
from shared.release.facts import Checked, Packaged, VersionAdopted
from shared.release.line import known
from shared.steps.turn import Ended, Found, Pending, Turn, Wanted


async def look(turn: Turn) -> Found:
    """Look the image up by its tag, which is the release id."""
    opened = turn.release
    name = f"{opened.project}:{opened.release}"
    report = await turn.outside.images.find(opened.project, opened.release)
    if report is None or report.status == "lost":

        async def build() -> None:
            await turn.outside.images.build(_spec(turn))

        return Wanted(name, "ImagePushed", build)
    if report.status == "building":
        return Pending(name, "ImagePushed")
    if report.status == "failed":
        raise StepFailed(report.reason, report.advice)
    return Ended((Packaged(turn.round, report.digest, report.size, report.seconds, report.deploys),))


def _spec(turn: Turn) -> ImageSpec:
    opened, file = turn.release, turn.file
    checked = known(turn.state, "check", Checked)
    version = known(turn.state, "register", VersionAdopted)
    assert turn.state.code is not None
    return ImageSpec(
        project=opened.project,
        release=opened.release,
        version=version.number,
        code=turn.state.code.code,
        model=turn.model,
        requirements=file.train.requirements,
        entry=file.score.script,
        schema=json.dumps(json.loads(checked.schema) | {"input": file.score.input}, sort_keys=True),
        provenance={
            "release": opened.release,
            "commit": opened.commit,
            "code": turn.state.code.code,
            "data": opened.data,
            "content": checked.content,
            "model": version.model,
            "lock": checked.environment,
            "version": str(version.number),
            **_of_others(turn),
        },
    )


def _of_others(turn: Turn) -> dict[str, str]:
    """Return what is otherwise of a version that others registered: on what it was trained nobody knows.

    `checked_by` is the release whose check ran with the lock, and the commit is that of the code beside the model.
    """
    origin = turn.state.carried
    return {"data": adopted.UNKNOWN, "content": adopted.UNKNOWN, "checked_by": origin.release} if origin else {}
