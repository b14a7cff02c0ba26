"""One Azurite for all tests of a session, started when the first one asks; each test has containers of its own."""

import atexit
import functools
import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.backends.blobs import Account, BlobArtifacts, BlobLedger
from tools.bench.wire import Wire
from tools.local.azurite import Azurite
from tools.local.node import NoAzurite

STARTED = "SIGNALBOX_TESTS_AZURITE"
"""Tells the children of a test where it is."""


@functools.cache
def connection() -> str:
    """Return the connection string; the test is skipped where Azurite cannot be had."""
    if told := os.environ.get(STARTED):
        return told
    one = Azurite()
    try:
        started = one.start()
    except NoAzurite as error:
        pytest.skip(str(error))
    atexit.register(one.stop)
    os.environ[STARTED] = started
    return started


def wire() -> Wire:
    """Return a way to it on which operations are counted, and may fail."""
    blobs = connection().partition("BlobEndpoint=")[2].partition(";")[0]
    return Wire(urlsplit(blobs).port or 0)


def prefix(folder: Path) -> str:
    """Return how the names of a folder's own containers begin."""
    return f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}-"


def account(folder: Path, **options: Any) -> Account:
    """Return an account whose own containers are those of this folder."""
    return Account(connection(), prefix(folder), **options)


def ledger(folder: Path) -> BlobLedger:
    """Return the ledger of a test's folder."""
    return BlobLedger(account(folder))


def artifacts(folder: Path) -> BlobArtifacts:
    """Return the artifacts of a test's folder."""
    return BlobArtifacts(account(folder))
