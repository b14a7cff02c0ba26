"""Ledger, artifacts and dead letters on Azure Blob Storage; Azurite is the same code."""

from shared.backends.blobs.account import Account
from shared.backends.blobs.artifacts import BlobArtifacts
from shared.backends.blobs.ledger import BlobLedger
from shared.backends.blobs.letters import BlobLetters

__all__ = ["Account", "BlobArtifacts", "BlobLedger", "BlobLetters"]
