"""`clarion up`, the four roles, and `clarion migrate`."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from clarion.data_folder import DEFAULT_FOLDER, Address, DataFolder
from clarion.logs import configure_logs
from clarion.process import (
    Heartbeat,
    collect_garbage_seldom,
    start_all,
    stop_all,
    stop_on_signals,
    wait_for_servers,
    wait_for_signal,
)
from clarion.roles import Role
from clarion.wiring import Wiring
from core.errors import ConfigurationError
from core.settings import Settings, load_settings
from core.store.accounts import ensure_bootstrap_key, new_key
from core.store.channels import check_key
from core.store.schema import migrate as migrate_store
from core.store.schema import newest_revision, require_migrated

log = structlog.get_logger()

LOCAL_SENDER = "Clarion <clarion@localhost.localdomain>"

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
port_option = click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535))
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder of the embedded installation.",
)


@click.command()
@data_option
@host_option
@port_option
def up(data: Path, host: str, port: int) -> None:
    """Run everything in one process; needs no other server unless settings name one."""
    stop = stop_on_signals()
    folder = DataFolder(data)
    folder.ensure()
    folder.lock()  # SQLite has one writer at a time, which only one process can see to
    key, made = _key_for(folder)
    wiring = Wiring(embedded_settings(folder, key), "up")
    configure_logs(wiring.settings.log_format, wiring.settings.log_level)
    prepare(wiring, key, stop)
    server = wiring.api(host, port)
    url = f"http://{host}:{server.port}"
    roles: list[Role] = [wiring.worker(url), wiring.router(), wiring.fetcher(url), server]
    run_until(stop, wiring, roles, lambda: _announce(folder, Address(url, key), made, wiring.keeps_mail))


def prepare(wiring: Wiring, key: str, stop: threading.Event) -> None:
    """Wait for servers, migrate, and make the administrator's key valid."""
    wait_for_servers(wiring.readiness, stop)
    migrate_store(wiring.store)
    _check_secret_key(wiring)
    with wiring.store.write() as session:
        ensure_bootstrap_key(session, key, wiring.clock.now())


def _check_secret_key(wiring: Wiring) -> None:
    with wiring.store.read() as session:
        check_key(session, wiring.box)


def _announce(folder: DataFolder, address: Address, made: bool, has_mailbox: bool) -> None:
    folder.write_address(address)
    if made:
        click.echo(f"Administrator key, shown only now: {address.key}")
    click.echo(f"Clarion is up at {address.url}")
    if has_mailbox:
        click.echo(f"Mail is not sent but kept: {address.url}/mailbox (any name, the key as password)")
    sys.stdout.flush()


def embedded_settings(folder: DataFolder, key: str) -> Settings:
    """Return the environment's settings, by default with the folder's database and mailbox."""
    given = load_settings(api_key=key, **_secret_for(folder))
    missing = {}
    if given.database_url is None:
        missing["database_url"] = folder.database_url
    if given.broker_url is None:
        missing["broker_url"] = "memory:"
    if given.smtp_url is None:
        missing["smtp_url"] = folder.mailbox_url
        missing["mail_from"] = given.mail_from or LOCAL_SENDER
    return load_settings(api_key=key, **_secret_for(folder), **missing) if missing else given


def _secret_for(folder: DataFolder) -> dict[str, str]:
    named = {"CLARION_SECRET_KEY", "CLARION_SECRET_KEY_FILE"} & os.environ.keys()
    return {} if named else {"secret_key": folder.secret_key()}


def _key_for(folder: DataFolder) -> tuple[str, bool]:
    """Return the administrator key: configured, else the folder's, else a new one."""
    configured = load_settings(**_secret_for(folder)).api_key
    if configured:
        return configured.get_secret_value(), False
    known = folder.address()
    return (known.key, False) if known else (new_key(), True)


def run_until(
    stop: threading.Event, wiring: Wiring, roles: list[Role], announce: Callable[[], None] | None = None
) -> None:
    """Start roles, wait for the signal, stop them, and end the process with 0."""
    heartbeat = Heartbeat(wiring.store, wiring.instance, wiring.clock)
    heartbeat.start()
    start_all(roles)
    collect_garbage_seldom()
    if announce:
        announce()
    wait_for_signal(stop)
    log.info("stopping")
    stop_all(roles)
    heartbeat.stop()
    wiring.close()
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread that still hangs in somebody's socket must not hold up the end; its claims are given back.
    os._exit(0)


def _run_role(name: str, roles: Callable[[Wiring], list[Role]]) -> None:
    stop = stop_on_signals()
    wiring = Wiring(load_settings(), name)
    settings = wiring.settings
    configure_logs(settings.log_format, settings.log_level)
    if settings.database_scheme != "postgresql":
        raise ConfigurationError(
            "CLARION_DATABASE_URL: separate roles need postgresql://…; SQLite serves `clarion up` only"
        )
    if settings.broker_scheme not in ("amqp", "amqps"):
        raise ConfigurationError(
            "CLARION_BROKER_URL: separate roles need amqp://…; the in-process broker serves `clarion up` only"
        )
    wait_for_servers(wiring.readiness, stop)
    require_migrated(wiring.store)
    _check_secret_key(wiring)
    run_until(stop, wiring, roles(wiring))


@click.command()
@host_option
@port_option
def api(host: str, port: int) -> None:
    """Serve the HTTP API."""

    def roles(wiring: Wiring) -> list[Role]:
        _ensure_administrator(wiring)
        server = wiring.api(host, port)
        click.echo(f"The API is at http://{host}:{server.port}")
        sys.stdout.flush()
        return [server]

    _run_role("api", roles)


def _ensure_administrator(wiring: Wiring) -> None:
    key = wiring.settings.api_key
    if key is not None:
        with wiring.store.write() as session:
            ensure_bootstrap_key(session, key.get_secret_value(), wiring.clock.now())


@click.command()
def fetcher() -> None:
    """Campaign for leadership; the leader polls sources and sweeps the ledger."""
    _run_role("fetcher", lambda wiring: _with_health(wiring, wiring.fetcher()))


@click.command()
def router() -> None:
    """Match articles against subscriptions."""
    _run_role("router", lambda wiring: _with_health(wiring, wiring.router()))


@click.command()
def worker() -> None:
    """Push deliveries to webhooks, chats and mail."""
    _run_role("worker", lambda wiring: _with_health(wiring, wiring.worker()))


def _with_health(wiring: Wiring, role: Role) -> list[Role]:
    port = wiring.settings.health_port
    return [role] if port is None else [role, wiring.health(port)]


@click.command()
@data_option
def migrate(data: Path) -> None:
    """Bring the database to this version's schema."""
    given = load_settings()
    if given.database_url is None:
        folder = DataFolder(data)
        folder.ensure()
        given = load_settings(database_url=folder.database_url)
    configure_logs(given.log_format, given.log_level)
    wiring = Wiring(given, "migrate")
    wait_for_servers({"database": wiring.store.ping}, threading.Event())
    changed = migrate_store(wiring.store)
    click.echo(f"The database {'is now' if changed else 'was already'} at revision {newest_revision()}.")
    wiring.close()
