"""`clarion up` in a data folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.rest import Rest
from tests.servers import ClarionProcess

_LOOPBACK = {"CLARION_EGRESS_ALLOW": "127.0.0.0/8", "CLARION_HOST_SPACING_SECONDS": "0"}


@dataclass(frozen=True)
class Up:
    """A running process, its folder, and the way to its API."""

    process: ClarionProcess
    data: Path
    rest: Rest


@contextmanager
def up(data: Path) -> Iterator[Up]:
    """Run `clarion up` until the block ends."""
    with ClarionProcess(["up", "--data", str(data), "--port", "0"], _LOOPBACK) as process:
        process.wait_for_line(r"^Clarion is up at http://\S+$", 60)
        yield Up(process, data, address_in(data))


def address_in(data: Path) -> Rest:
    """Return the API of which the folder tells."""
    known = json.loads((data / "up.json").read_text())
    return Rest(known["url"], known["key"])
