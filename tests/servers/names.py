"""Names for what a run makes on a server that it shares, so that a later run knows what was left behind."""

import os
import re
import secrets
import socket
import zlib
from pathlib import Path

_OWNED = re.compile(r"clarion_test_([0-9a-f]{8})_(\d+)_[0-9a-f]{12}")


def owned_name() -> str:
    """Make a name that tells machine and process, valid for databases and virtual hosts alike."""
    return f"clarion_test_{_machine()}_{os.getpid()}_{secrets.token_hex(6)}"


def abandoned(name: str) -> bool:
    """Whether it was made by a process of this machine that is no more."""
    owned = _OWNED.fullmatch(name)
    return owned is not None and owned[1] == _machine() and not Path("/proc", owned[2]).exists()


def _machine() -> str:
    # Containers may share a host name and still number their processes apart.
    processes = Path("/proc/self/ns/pid")
    namespace = processes.stat().st_ino if processes.exists() else 0
    return f"{zlib.crc32(f'{socket.gethostname()} {namespace}'.encode()):08x}"
