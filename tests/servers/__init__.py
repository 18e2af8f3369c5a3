"""The servers and processes that tests run against, and what starts and clears them away."""

from tests.servers.availability import ServerUnavailable
from tests.servers.clarion import ClarionProcess
from tests.servers.ports import free_port
from tests.servers.postgres import PrivatePostgres
from tests.servers.rabbit import PrivateRabbit

__all__ = ["ClarionProcess", "PrivatePostgres", "PrivateRabbit", "ServerUnavailable", "free_port"]
