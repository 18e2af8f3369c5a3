"""What tests of the ways out get."""

from collections.abc import Iterator
from pathlib import Path

import pycurl
import pytest

from core.egress import EgressPolicy, Transfer
from tests.unit.core.loopback_servers import LOOPBACK_OPEN
from tests.unit.core.pushes import TransferMaker


@pytest.fixture
def make_transfer() -> Iterator[TransferMaker]:
    """Transfers that end with the test."""
    made: list[Transfer] = []

    def make(
        policy: EgressPolicy = LOOPBACK_OPEN,
        *,
        seconds: float = 15,
        connect_seconds: float = 5,
        ca_file: Path | None = None,
        resolve: tuple[str, ...] = (),
    ) -> Transfer:
        transfer = Transfer(
            policy,
            "Clarion/test",
            connect_seconds=connect_seconds,
            total_seconds=seconds,
            ca_file=str(ca_file) if ca_file else None,
        )
        transfer.curl.setopt(pycurl.RESOLVE, list(resolve))
        made.append(transfer)
        return transfer

    yield make
    for transfer in made:
        transfer.close()
