"""stage: the image digest into its staging slot; a failed deployment raises no event, so the look must find it."""

from shared.errors import StepFailed
from shared.release.facts import Packaged, SlotClaimed, Staged, VersionAdopted
from shared.release.ids import slot_name
from shared.release.line import known
from shared.steps.turn import Ended, Found, Pending, Turn, Wanted
from shared.streams import environment_stream


async def look(turn: Turn) -> Found:
    """Look the slot up by its name."""
    release = turn.release.release
    slot = slot_name(release, "staging")
    service = await turn.outside.hosting.find(slot)
    if service is None or service.status == "stopped":

        async def deploy() -> None:
            version = known(turn.state, "register", VersionAdopted)
            claimed = SlotClaimed(release, slot, version.number)
            await turn.streams.add(environment_stream(turn.release.project, "staging"), [claimed])
            image = known(turn.state, "package", Packaged).image
            await turn.outside.hosting.deploy(slot, turn.release.project, "staging", release, image)

        return Wanted(slot, "ModelDeployed", deploy)
    if service.status == "starting":
        return Pending(slot, "ModelDeployed")
    if service.status == "failed":
        raise StepFailed(f"the service {slot} did not start: {service.log[-400:]}", "Mend the scoring file, push again")
    return Ended((Staged(turn.round, slot, service.url, service.seconds),))
