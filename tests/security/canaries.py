"""Eight secrets that are planted, and how they are found again."""

import base64
import json
from urllib.parse import quote, quote_plus

BYTES = {name: f"canary {name} é/+? ".encode().ljust(32, b"!")[:32] for name in ("audit", "storage")}
CANARIES = {
    "webhook secret": "canary-webhook/+ é=1",
    "approval key": "canary-approval/+ é=2",
    "audit key": base64.b64encode(BYTES["audit"]).decode(),
    "git credential": "canary-git/+=token-3",
    "Azure client secret": "canary-client~Q8/+=4",
    "topic key": base64.b64encode(b"canary of the topic/+?5").decode(),
    "storage connection string": base64.b64encode(BYTES["storage"]).decode(),
    "apprise URL": "canary-apprise-T0-B0x6",
}


def forms(secret: str) -> set[bytes]:
    """Return a secret as it may be written: plain, escaped, quoted for an address, or in base64 at any offset."""
    raw = secret.encode()
    found = {raw, json.dumps(secret)[1:-1].encode(), quote(secret).encode(), quote(secret, safe="").encode()}
    found |= {quote_plus(secret).encode(), repr(raw)[2:-1].encode()}
    for before in range(3):
        # What stands before and behind a secret changes the first and the last characters.
        coded = base64.b64encode(b"x" * before + raw)[4:-4]
        found |= {coded, coded.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def leaks(told: bytes) -> list[str]:
    """Return the secrets that are in what was told."""
    return [name for name, secret in CANARIES.items() if any(form in told for form in forms(secret))]
