"""How steps stand, said at commits on git hosts: one file a kind of host, and one that sends."""

from shared.backends.statuses.posting import Account, HostStatuses

__all__ = ["Account", "HostStatuses"]
