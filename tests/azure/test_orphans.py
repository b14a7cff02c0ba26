"""What is left half-made in the workspace is listed with the reason, and nothing that is used or may yet be."""

import asyncio

import msgspec

from shared.backends.azure.orphans import Used, orphans
from tests.azure.releases import OTHER, PROJECT, RELEASE, Tiny

GONE = "0" * 20
NOTHING = Used(releases=[], open=[], versions={}, slots=[])


def listed(tiny: Tiny, used: Used) -> dict[str, str]:
    """Return the names of what nothing uses, with why."""
    return {orphan.made.name: orphan.why for orphan in asyncio.run(orphans(tiny.azure, [PROJECT], used))}


def half_made(tiny: Tiny) -> None:
    """Leave one of everything for one release, and a second version that nobody adopted."""
    tiny.double.plan("service", kind="late")
    image = tiny.manifest()
    tiny.deploy("staging", RELEASE, image)
    tiny.deploy("production", RELEASE, image)
    twice = {"name": PROJECT, "properties": {"release": RELEASE}, "runId": f"{RELEASE}-train-1"}
    tiny.double.ask("POST", "/plant", {"models": [twice, {"name": "somebodys", "properties": {}}]})


def test_everything_of_a_release_that_this_ledger_does_not_know_is_listed(tiny: Tiny) -> None:
    half_made(tiny)

    assert listed(tiny, NOTHING) == dict.fromkeys(
        [
            f"{PROJECT}:1",
            f"{PROJECT}:2",
            f"r{RELEASE}-staging",
            f"{PROJECT}/r{RELEASE}",
            f"{RELEASE}-train-1",
        ],
        "no release of this ledger made it",
    )


def test_a_second_version_is_listed_and_nothing_of_an_open_release_beside_it(tiny: Tiny) -> None:
    half_made(tiny)
    used = msgspec.structs.replace(
        NOTHING, releases=[RELEASE, OTHER], open=[RELEASE], versions={RELEASE: f"{PROJECT}:1"}
    )

    assert listed(tiny, used) == {f"{PROJECT}:2": f"its release adopted {PROJECT}:1"}


def test_what_an_ended_release_still_uses_is_not_listed(tiny: Tiny) -> None:
    half_made(tiny)
    used = Used([RELEASE], [], {RELEASE: f"{PROJECT}:2"}, [f"{RELEASE}-production"])

    assert listed(tiny, used) == {
        f"{PROJECT}:1": f"its release adopted {PROJECT}:2",
        f"r{RELEASE}-staging": "its release has ended and its slot is given up",
    }
