"""`python -m tests.servers COMMAND…`: run a command with one broker and one database for all it starts.

Ends with the command's exit code; with 1 where a server is missing and this is CI.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from tests.servers.availability import INSTALL_VARIABLE, ServerUnavailable, in_ci
from tests.servers.shared import SharedServers


def main(command: Sequence[str]) -> int:
    """Obtain both servers, run the command, and clear away."""
    servers = SharedServers()
    try:
        missing = _missing(servers)
        for reason in missing:
            print(reason, file=sys.stderr)
        if missing and in_ci():
            return 1
        # What could not be installed now cannot be by those that come after.
        environment = os.environ | servers.environment | {INSTALL_VARIABLE: "0"}
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        servers.close()


def _missing(servers: SharedServers) -> list[str]:
    reasons = []
    for obtain in (servers.vhosts, servers.databases):
        try:
            obtain()
        except ServerUnavailable as error:
            reasons.append(str(error))
    return reasons


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
