"""A signed ledger of the world, and how an auditor reaches it."""

import secrets

from shared.backends.memory import MemoryCheckpoints
from shared.backends.signing import Prover, Signer
from tests.world import RUNNER, World
from tools.audit.place import Place
from tools.audit.verifying import Verified, verify

KEY = secrets.token_bytes(32)


def signed() -> World:
    """Return a world whose ledger is signed and has a second place."""
    signer = Signer(KEY)
    return World(sign=signer, prover=Prover.of(signer, []), checkpoints=MemoryCheckpoints())


def place(world: World, prover: Prover | None = None) -> Place:
    """Return its ledger as an auditor reaches it, proven by its own key unless another is given."""
    signer = Signer(KEY)
    return Place(world.ledger, world.artifacts, world.checkpoints, signer, prover or Prover([signer.public]))


def verified(world: World) -> Verified:
    """Verify all of it."""
    return RUNNER.run(verify(place(world)))


def checkpoint(world: World) -> int:
    """Make a checkpoint and return its number, 0 when nothing changed."""
    made = RUNNER.run(world.control.checkpointing.make())
    return made.number if made else 0


def live(world: World, letter: str = "a") -> str:
    """Take a commit into production and return its release."""
    release = world.push(letter)
    world.run()
    world.decide(release)
    world.run()
    assert world.state(release).ended is not None
    return release
