"""What there is to do when a server that tests need is not there."""

import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

log = logging.getLogger(__name__)
INSTALL_VARIABLE = "CLARION_TEST_INSTALL"


class ServerUnavailable(Exception):
    """No such server answers, and none can be started here; the message says both in one line."""


def in_ci() -> bool:
    """Whether this run must have its servers: skipping would pass for success."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def place(url: str) -> str:
    """Return host and port of a URL, without the password in it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def may_install() -> bool:
    """Whether packages can be installed: as root, with apt, unless `CLARION_TEST_INSTALL=0` forbids it."""
    allowed = os.environ.get(INSTALL_VARIABLE) != "0"
    return allowed and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(package: str) -> None:
    """Install a Debian package; a failure is logged, and shows in what is missing afterwards.

    A package can be installed and apt-get fail all the same, where the server that its script starts does not
    come up; hence what counts is whether the programs are there.
    """
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    options = ("--quiet", "--yes", "--no-install-recommends", "--option", "DPkg::Lock::Timeout=300")
    for command in (["apt-get", "update", "--quiet"], ["apt-get", "install", *options, package]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            words = done.stderr.strip()[-2000:]
            log.warning("%s ended with %d: %s", " ".join(command), done.returncode, words)


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Keep the workers of a parallel run from doing the same installation side by side."""
    lock = Path(tempfile.gettempdir(), f"clarion-test-{name}-{os.geteuid()}.lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
