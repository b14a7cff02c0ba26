"""What a proof says: plain lines, and a mark for every claim that held or did not."""

import time


class Unproven(Exception):
    """A proof cannot go on; the message says what did not happen."""


class Telling:
    """Prints lines and counts the claims of one proof; `failed` are the claims that did not hold."""

    def __init__(self, proof: str) -> None:
        self.proof = proof
        self.held = 0
        self.failed: list[str] = []
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long this proof has taken so far."""
        return time.monotonic() - self._began

    def say(self, line: str = "") -> None:
        """Print one line of what is done or measured."""
        print(f"  {line}".rstrip(), flush=True)

    def claim(self, what: str, holds: bool, measured: object = "") -> None:
        """Print a claim with what was measured; one that does not hold fails the proof, which goes on."""
        shown = f": {measured}" if measured != "" else ""
        print(f"  {'ok ' if holds else 'NOT'} {what}{shown}", flush=True)
        if holds:
            self.held += 1
        else:
            self.failed.append(f"{what}{shown}")

    def equal(self, what: str, found: object, wanted: object) -> None:
        """Claim that `found` is `wanted`; both are printed when it is not."""
        self.claim(what, found == wanted, found if found == wanted else f"{found}, wanted {wanted}")
