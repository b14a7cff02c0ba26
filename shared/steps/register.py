"""register: into the model registry; the ledger says which version is ours, every other one is not used."""

from shared.errors import StepFailed
from shared.release.facts import Checked, Trained, VersionAdopted
from shared.release.line import known
from shared.steps.turn import Ended, Found, Turn, Wanted


async def look(turn: Turn) -> Found:
    """Find the version by its property `release`; adopt the oldest, whose bytes must be the training job's."""
    name, release = turn.release.project, turn.release.release
    trained = known(turn.state, "train", Trained)
    versions = await turn.outside.registry.find(name, release)
    if versions:
        ours = versions[0]
        if ours.digest != trained.model:
            reason = f"version {ours.number} of {name} holds {ours.digest}, the training job wrote {trained.model}"
            raise StepFailed(reason, "Somebody replaced the files: look into the registry, then push again")
        return Ended((VersionAdopted(turn.round, name, ours.number, ours.digest),))

    async def register() -> None:
        properties = {
            "release": release,
            "commit": turn.release.commit,
            "data": turn.release.data,
            "lock": known(turn.state, "check", Checked).environment,
            "model": trained.model,
        }
        await turn.outside.registry.register(name, release, f"job:{trained.job}/model", properties)

    return Wanted(f"{name}@{release}", "ModelRegistered", register)
