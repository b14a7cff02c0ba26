"""What a release through Azure asks of the storage: its packages are marked and kept there too."""

from pathlib import Path

from shared.backends.azure.workspace import Azure
from tests import storage
from tests.azure.stand_in import StandIn
from tools.bench import on_azure
from tools.bench.storage import BAR, measure


def test_a_release_through_azure_asks_the_storage_as_often_after_many_others_and_never_too_often(
    azurite: str, double: StandIn, azure: Azure, tmp_path: Path
) -> None:
    with storage.wire() as wire:
        new, long = (
            measure(wire, azurite, releases, storage.prefix(tmp_path), on_azure.world(double, azure))
            for releases in (0, 8)
        )
    assert 79 < len(new.going_on) == len(long.going_on) <= BAR
    assert len(long.started) <= BAR
    assert len(new.cancelling) == len(long.cancelling) <= BAR
