"""Virtual hosts on a shared RabbitMQ: one for each run and each test, through whatever way in there is."""

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import requests

from tests.servers.names import abandoned, owned_name
from tests.servers.rabbit import broker_answers

_SECONDS = 60
# Creating several costs little more than creating one, most of which is the tool's own start.
_BATCH = 4


class NoWayIn(Exception):
    """This way of administering the broker is closed, or leads to another broker."""


class Administration(Protocol):
    """A way to administer a broker; every call may raise NoWayIn."""

    def create(self, names: Sequence[str], user: str) -> None:
        """Make virtual hosts in which the user may do everything."""

    def delete(self, names: Sequence[str]) -> None:
        """Remove virtual hosts with all that is in them."""

    def names(self) -> list[str]:
        """List the virtual hosts."""


class CommandLine:
    """Administration by `rabbitmqctl`, or by the command that stands in `CLARION_TEST_RABBITMQCTL`."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = command or shlex.split(os.environ.get("CLARION_TEST_RABBITMQCTL", "rabbitmqctl"))

    def create(self, names: Sequence[str], user: str) -> None:
        """Make virtual hosts in which the user may do everything."""
        everything = {"user": user, "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"vhost": name, **everything} for name in names],
        }
        self._run("import_definitions", stdin=json.dumps(definitions))

    def delete(self, names: Sequence[str]) -> None:
        """Remove virtual hosts with all that is in them."""
        # `delete_vhost` takes one at a time, and starting the tool is what takes long. One that is already
        # gone was left behind, and found by another worker too.
        listed = ",".join(f'<<"{name}">>' for name in names)
        self._run("eval", f'[catch rabbit_vhost:delete(Name, <<"clarion-tests">>) || Name <- [{listed}]].')

    def names(self) -> list[str]:
        """List the virtual hosts."""
        return self._run("list_vhosts", "name", "--no-table-headers").split("\n")

    def _run(self, *arguments: str, stdin: str = "") -> str:
        try:
            return subprocess.run(
                [*self._command, "--quiet", *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                check=True,
                timeout=_SECONDS,
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise NoWayIn(f"rabbitmqctl: {error}") from error


class ManagementApi:
    """Administration by the HTTP API of the management plugin, with the credentials of the broker's URL."""

    def __init__(self, url: str, port: int = 15672) -> None:
        parts = urlsplit(url)
        self._base = f"http://{parts.hostname}:{port}/api"
        self._credentials = (unquote(parts.username or "guest"), unquote(parts.password or "guest"))

    def create(self, names: Sequence[str], user: str) -> None:
        """Make virtual hosts in which the user may do everything."""
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        for name in names:
            self._call("PUT", f"vhosts/{name}", {})
            self._call("PUT", f"permissions/{name}/{quote(user, safe='')}", everything)

    def delete(self, names: Sequence[str]) -> None:
        """Remove virtual hosts with all that is in them."""
        for name in names:
            self._call("DELETE", f"vhosts/{name}")

    def names(self) -> list[str]:
        """List the virtual hosts."""
        return [vhost["name"] for vhost in self._call("GET", "vhosts").json()]

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> requests.Response:
        try:
            answer = requests.request(
                method, f"{self._base}/{path}", json=body, auth=self._credentials, timeout=_SECONDS
            )
            if (method, answer.status_code) != ("DELETE", 404):
                answer.raise_for_status()
        except requests.RequestException as error:
            raise NoWayIn(f"management API: {error}") from error
        return answer


class Vhosts:
    """Hands out empty virtual hosts of one broker, and removes them all when closed.

    Raises NoWayIn where the administration does not lead to the broker of the URL.
    """

    def __init__(self, url: str, administration: Administration) -> None:
        self._url = url
        self._administration = administration
        self._user = unquote(urlsplit(url).username or "guest")
        self._made: list[str] = []
        self._spare: list[str] = []
        leftovers = [name for name in administration.names() if abandoned(name)]
        if leftovers:
            administration.delete(leftovers)
        self._require_same_broker()

    def create(self) -> str:
        """Return the URL of a virtual host that nobody has used."""
        if not self._spare:
            self._fill()
        return self._url_of(self._spare.pop())

    def close(self) -> None:
        """Remove all that were made."""
        if self._made:
            self._administration.delete(self._made)
        self._made, self._spare = [], []

    def _fill(self) -> None:
        names = [owned_name() for _ in range(_BATCH)]
        self._made += names
        self._administration.create(names, self._user)
        self._spare += names

    def _require_same_broker(self) -> None:
        self._fill()
        if not broker_answers(self._url_of(self._spare[-1])):
            self.close()
            raise NoWayIn("it administers another broker")

    def _url_of(self, name: str) -> str:
        return urlsplit(self._url)._replace(path=f"/{quote(name, safe='')}").geturl()
