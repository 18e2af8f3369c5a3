"""The folder of an embedded installation: database, secret key, and where to find the running process."""

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from core.errors import ConfigurationError

DEFAULT_FOLDER = Path("clarion-data")
SECRET_FILE = "secret.key"  # noqa: S105 (a file's name)


@dataclass(frozen=True)
class Address:
    """Where the API of a running process is, and the key to it."""

    url: str
    key: str


@dataclass(frozen=True)
class DataFolder:
    """A folder with everything that `clarion up` keeps."""

    path: Path

    def ensure(self) -> None:
        """Make the folder, readable by its owner only; raises ConfigurationError where that fails."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"--data: cannot make {self.path}: {error}") from error

    def lock(self) -> None:
        """Keep the folder to this process until it ends; raises ConfigurationError if another has it."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise ConfigurationError(f"--data: another Clarion runs on {self.path}") from error

    @property
    def database_url(self) -> str:
        """The SQLite database."""
        return f"sqlite:///{self.path.resolve() / 'clarion.db'}"

    @property
    def mailbox_url(self) -> str:
        """The mailbox that takes mail while there is no mail server."""
        return f"maildir://{quote(str(self.path.resolve() / 'mailbox'))}"

    def secret_key(self) -> str:
        """Return the secret key, made on first use."""
        file = self.path / SECRET_FILE
        if not file.exists():
            _write_private(file, secrets.token_urlsafe(48) + "\n")
        return file.read_text(encoding="utf-8").strip()

    def write_address(self, address: Address) -> None:
        """Tell other commands where the API is."""
        _write_private(self.path / "up.json", json.dumps({"url": address.url, "key": address.key}) + "\n")

    def address(self) -> Address | None:
        """Return where the API was last served from here."""
        try:
            known = json.loads((self.path / "up.json").read_text(encoding="utf-8"))
            return Address(str(known["url"]), str(known["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _write_private(file: Path, text: str) -> None:
    # Written beside and renamed, so that nobody reads half a file, nor one that others may read.
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
