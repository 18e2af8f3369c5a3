"""A RabbitMQ node of one's own, which may be stopped, killed and started again."""

import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pika
from pika.exceptions import AMQPError

from tests.servers.availability import ServerUnavailable
from tests.servers.ports import free_port
from tests.servers.process import OwnedProcess, Startable, last_words, wait_until

# Debian's `rabbitmq-server` and `rabbitmqctl` on the path change user and folder; those in here do not.
_SCRIPTS = (Path("/usr/lib/rabbitmq/bin"), Path("/opt/rabbitmq/sbin"), Path("/usr/local/sbin"))
_START_SECONDS = 60


def server_scripts() -> Path | None:
    """Return the folder of `rabbitmq-server` and its tools, or None where RabbitMQ is not installed."""
    found = shutil.which("rabbitmq-server")
    folders = [*_SCRIPTS, *([Path(found).resolve().parent] if found else [])]
    return next((folder for folder in folders if (folder / "rabbitmq-server").exists()), None)


def broker_answers(url: str) -> bool:
    """Whether a broker accepts connections to the virtual host of this URL."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 10
    parameters.connection_attempts = 1
    try:
        # Pika logs an error and its trace for each refused connection, and a starting node refuses many.
        socket.create_connection((parameters.host, parameters.port), 10).close()
        pika.BlockingConnection(parameters).close()
    except (AMQPError, OSError):
        return False
    return True


class PrivateRabbit(Startable):
    """A node with its own data, Erlang cookie and port mapper, running inside a `with` block.

    Raises ServerUnavailable where RabbitMQ is not installed or does not come up.
    """

    def __init__(self, *, plugins: Sequence[str] = (), settings: Sequence[str] = ()) -> None:
        scripts = server_scripts()
        if scripts is None:
            raise ServerUnavailable("RabbitMQ: rabbitmq-server is not installed")
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="clarion-rabbit-"))
        self._scripts = scripts
        self._mapper_port = free_port()
        self._environment = self._prepare(plugins, settings)
        self._mapper = self._start_mapper()
        self._node: OwnedProcess | None = None

    @property
    def url(self) -> str:
        """The `amqp:` URL of its default virtual host."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    @property
    def control(self) -> Path:
        """A script that is `rabbitmqctl` for this node."""
        return self.directory / "rabbitmqctl"

    @property
    def pid(self) -> int:
        """The process id of the running node; raises RuntimeError where it is down."""
        if self._node is None:
            raise RuntimeError("the node is not running")
        return self._node.pid

    def add_vhost(self) -> str:
        """Make a virtual host and return its URL."""
        name = f"v{secrets.token_hex(4)}"
        self.rabbitmqctl("add_vhost", name)
        self.rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(name, safe='')}"

    def start(self) -> None:
        """Start it, with the data of before, and wait until it takes connections."""
        self._node = OwnedProcess(
            [str(self._scripts / "rabbitmq-server")],
            env=self._environment,
            stdout=self._log,
            cwd=self.directory,
            leftovers=self.directory,
        )
        node = self._node
        wait_until(lambda: node.poll() is not None or broker_answers(self.url), _START_SECONDS, 0.1)
        if node.poll() is not None or not broker_answers(self.url):
            self.kill()
            raise ServerUnavailable(f"RabbitMQ: a private node did not start: {last_words(self._log)}")

    def stop(self) -> None:
        """Shut it down in good order, keeping its data."""
        if self._node:
            self._node.end()
            self._node = None

    def kill(self) -> None:
        """End it as a crash does, keeping its data."""
        if self._node:
            self._node.kill()
            self._node = None

    def settle(self) -> None:
        """Write out what the node itself would write only seconds later.

        Killed before that, a quorum queue that was just made comes back without a leader, and every operation
        on it hangs (seen with RabbitMQ 3.10: ra keeps term and vote in DETS, which delays writing).
        """
        self.rabbitmqctl("eval", "[ok = dets:sync(Table) || Table <- dets:all()].")

    def pause(self) -> None:
        """Freeze it: its connections stay open, and nothing answers."""
        if self._node:
            self._node.signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        if self._node:
            self._node.signal_group(signal.SIGCONT)

    def rabbitmqctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on this node and return what it prints; raises CalledProcessError."""
        return subprocess.run(
            [str(self.control), "--quiet", *arguments], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def close(self) -> None:
        """End it and remove all that it wrote."""
        self.kill()
        self._mapper.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self.directory / "output"

    def _prepare(self, plugins: Sequence[str], settings: Sequence[str]) -> dict[str, str]:
        configuration = [f"listeners.tcp.default = 127.0.0.1:{self.port}", "disk_free_limit.absolute = 50MB"]
        self._write("rabbitmq.conf", "\n".join([*configuration, *settings]))
        self._write("enabled_plugins", f"[{','.join(plugins)}].")
        self._write("rabbitmq-env.conf", "")
        own = self._own_environment()
        exports = [f"export {name}={shlex.quote(value)}" for name, value in own.items()]
        control = shlex.quote(str(self._scripts / "rabbitmqctl"))
        self._write("rabbitmqctl", "\n".join(["#!/bin/sh", *exports, f'exec {control} "$@"', ""]))
        self.control.chmod(0o700)
        foreign = ("RABBITMQ_", "ERL_", "CLARION_")
        return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | own

    def _own_environment(self) -> dict[str, str]:
        folder = self.directory
        return {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_NODENAME": "clarion@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def _start_mapper(self) -> OwnedProcess:
        # The machine's own epmd may be absent, and one that a node starts would outlive the node.
        program = shutil.which("epmd")
        if program is None:
            shutil.rmtree(self.directory)
            raise ServerUnavailable("RabbitMQ: Erlang's epmd is not installed")
        return OwnedProcess(
            [program, "-port", str(self._mapper_port), "-address", "127.0.0.1"],
            env=self._environment,
            stdout=self.directory / "epmd",
            leftovers=self.directory,
        )
