"""A storage account that is named by its URL: the app is known there by its managed identity, as on Azure."""

import asyncio
import base64
import datetime
import http.server
import ipaddress
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.backends.blobs import Account, BlobArtifacts, BlobLedger
from shared.errors import Unavailable
from tests import storage
from tools.local.azurite import ACCOUNT, Azurite

SECRET = "the header that Azure gives to an app"
STORAGE = "https://storage.azure.com"


def part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def token(seconds: float) -> str:
    """Return a token that is good for so long; Azurite looks at what it says and not at who signed it."""
    now = time.time()
    issuer = "https://sts.windows.net/00000000-0000-0000-0000-000000000000/"
    claims = {"aud": STORAGE, "iss": issuer, "iat": now - 60, "nbf": now - 60, "exp": now + seconds}
    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.{part({'signed': 'no'})}"


class Identity(http.server.BaseHTTPRequestHandler):
    """The identity endpoint of App Service: tells a token to who has the header."""

    lasts = 3600.0

    def do_GET(self) -> None:
        known = self.headers.get("X-IDENTITY-HEADER") == SECRET and "storage.azure.com" in self.path
        told = {
            "access_token": token(self.lasts),
            "expires_on": str(int(time.time() + self.lasts)),
            "resource": STORAGE,
        }
        body = json.dumps({**told, "token_type": "Bearer"} if known else {"message": "no"}).encode()
        self.send_response(200 if known else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Identity]]:
    """Let this process run as an app with an identity."""
    endpoint = type("Endpoint", (Identity,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), endpoint)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", SECRET)
    yield endpoint
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key: tokens are only sent over TLS."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def url(certificate: tuple[Path, Path]) -> Iterator[str]:
    """The URL of an Azurite that takes tokens."""
    storage.connection()  # skips where Azurite cannot be had
    with Azurite("--oauth", "basic", "--cert", str(certificate[0]), "--key", str(certificate[1])) as one:
        yield f"https://127.0.0.1:{one.ports.blobs}/{ACCOUNT}"


def test_an_account_that_is_named_by_its_url_is_reached_as_who_the_app_runs_as(
    url: str, certificate: tuple[Path, Path], identity: type[Identity]
) -> None:
    account = Account(url, connection_verify=str(certificate[0]))
    ledger, artifacts = BlobLedger(account), BlobArtifacts(account)
    assert asyncio.run(ledger.append("release/a", b"one\n", 0)) == 4
    assert asyncio.run(ledger.read("release/a")) == b"one\n"
    assert asyncio.run(ledger.mark("open/a", b"x")) is True
    assert asyncio.run(artifacts.get(asyncio.run(artifacts.put(b"bytes")))) == b"bytes"


def test_an_app_that_is_nobody_there_is_told_so(
    url: str, certificate: tuple[Path, Path], identity: type[Identity]
) -> None:
    identity.lasts = -3600.0
    ledger = BlobLedger(Account(url, connection_verify=str(certificate[0])))
    with pytest.raises(Unavailable, match=r"refused release/a .*STORAGE_CONNECTION"):
        asyncio.run(ledger.read("release/a"))
