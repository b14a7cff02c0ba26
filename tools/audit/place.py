"""Where a ledger is kept, and by which keys it is proven: a state folder, or the settings of an app."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from shared import wiring
from shared.backends.signing import Prover, Signer
from shared.errors import Misconfigured
from shared.ports import Artifacts, Checkpoints, Ledger
from shared.settings import read_audit
from shared.streams import Streams

VAULT = "@Microsoft.KeyVault("


class Place(Struct, frozen=True):
    """A ledger at rest: what is kept, where its checkpoints are, and the keys."""

    ledger: Ledger
    artifacts: Artifacts
    checkpoints: Checkpoints | None
    signer: Signer | None
    prover: Prover | None
    """None where no key is known: then only the chain can be looked at."""

    @property
    def streams(self) -> Streams:
        """The streams, written as the app writes them; `Misconfigured` where facts are signed and the key is not here.

        Only what is read of them needs no key: see `read`.
        """
        if self.signer is None and self.prover is not None:
            raise Misconfigured("AUDIT_KEY is not readable here, and what is written without it proves nothing")
        return Streams(self.ledger, lambda: datetime.now(UTC), self.signer)

    @property
    def read(self) -> Streams:
        """The streams, for those who write nothing."""
        return Streams(self.ledger, lambda: datetime.now(UTC))


def of_settings(values: Mapping[str, str], trusted: Sequence[str] = ()) -> Place:
    """Return the place that settings name; with `trusted`, in base64, these public keys alone prove a line.

    What stands in a key vault cannot be read here: an auditor needs no key that signs.
    """
    if values.get("CHECKPOINTS", "").startswith(VAULT):
        raise Misconfigured("CHECKPOINTS cannot be read from a key vault here: give --checkpoints PLACE")
    seen = {name: value for name, value in values.items() if not (name == "AUDIT_KEY" and value.startswith(VAULT))}
    told = read_audit(seen | ({"AUDIT_PUBLIC_KEYS": " ".join(trusted)} if trusted else {}))
    signer = Signer(told.key) if told.key else None
    public = [*([signer.public] if signer and not trusted else []), *told.public_keys]
    ledger, artifacts, _ = wiring.kept(told.storage, told.state)
    second = wiring.second_place(told.checkpoints)
    return Place(ledger, artifacts, second, signer, Prover(public) if public else None)


def of_state(
    state: Path, environ: Mapping[str, str] = os.environ, new: bool = False, trusted: Sequence[str] = ()
) -> Place:
    """Return the place that a stack kept its state in; `Misconfigured` when there is none, unless it may be `new`."""
    from tools.local.files import read_json

    keys = read_json(state / "keys.json") or {}
    if not new and not (state / "ledger.db").is_file():
        raise Misconfigured(f"{state} holds no ledger.db: give --state FOLDER, or --settings FILE of an app")
    mine = {"STORAGE": "local", "STATE_DIR": str(state.resolve()), "AUDIT_KEY": keys.get("audit", "")}
    mine["CHECKPOINTS"] = environ.get("CHECKPOINTS") or str(state.resolve() / "checkpoints")
    return of_settings({"AUDIT_PUBLIC_KEYS": environ.get("AUDIT_PUBLIC_KEYS", "")} | mine, trusted)
