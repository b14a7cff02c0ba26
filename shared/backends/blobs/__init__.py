"""Ledger and artifacts on Azure Blob Storage; Azurite is the same code."""

from shared.backends.blobs.account import Account
from shared.backends.blobs.artifacts import BlobArtifacts
from shared.backends.blobs.ledger import BlobLedger

__all__ = ["Account", "BlobArtifacts", "BlobLedger"]
