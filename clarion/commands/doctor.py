"""`clarion doctor`: what is wrong, and what to do about it."""

import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from clarion.commands.serving import data_option
from clarion.data_folder import SECRET_FILE, DataFolder
from clarion.wiring import Wiring
from core.errors import ClarionError
from core.settings import Settings, load_settings
from core.signing import UndecryptableSecret
from core.store import host_cooldowns, instances, leases, source_health
from core.store.channels import check_key
from core.store.schema import require_migrated
from fetcher.leadership import LEASE
from notifiers.mailer import mail_transport
from router.matching import is_compiled

MOST_SKEW_SECONDS = 2.0
LATE_AFTER = timedelta(minutes=10)
MOST_HOSTS = 5


@dataclass(frozen=True)
class Finding:
    """What one check found; `advice` only where something is to be done."""

    good: bool
    words: str
    advice: str = ""


@click.command()
@data_option
def doctor(data: Path) -> None:
    """Check settings, database, migrations, secrets, broker, clock, leader, sources, mail and matching."""
    wiring = Wiring(_settings(data), "doctor")
    checks: dict[str, Callable[[Wiring], Finding]] = {
        "database": _database,
        "migrations": _migrations,
        "secrets": _secrets,
        "broker": _broker,
        "clock": _clock,
        "leader": _leader,
        "sources": _sources,
        "mail": _mail,
        "matching": _matching,
    }
    sound = True
    for name, check in checks.items():
        finding = _safely(check, wiring)
        sound = sound and finding.good
        click.echo(f"{'ok  ' if finding.good else 'FAIL'}  {name:<10}  {finding.words}")
        if finding.advice:
            click.echo(f"      {'':<10}  -> {finding.advice}")
    wiring.close()
    if not sound:
        raise ClarionError("something needs attention")


def _settings(data: Path) -> Settings:
    given = load_settings()
    missing = {}
    if given.database_url is None:
        missing["database_url"] = DataFolder(data).database_url
    if given.broker_url is None:
        missing["broker_url"] = "memory:"
    if given.secret_key is None and (data / SECRET_FILE).exists():
        missing["secret_key"] = DataFolder(data).secret_key()
    return load_settings(**missing)


def _safely(check: Callable[[Wiring], Finding], wiring: Wiring) -> Finding:
    try:
        return check(wiring)
    except ClarionError as error:
        return Finding(False, str(error), "mend the database first")


def _database(wiring: Wiring) -> Finding:
    scheme = wiring.settings.database_scheme
    if scheme == "sqlite" and not Path(wiring.store.engine.url.database or "").exists():
        return Finding(False, "there is no database file yet", "run `clarion up` or `clarion migrate`")
    try:
        wiring.store.ping()
    except ClarionError as error:
        return Finding(False, str(error), "check that it runs and that CLARION_DATABASE_URL names it")
    return Finding(True, f"{scheme} answers")


def _migrations(wiring: Wiring) -> Finding:
    try:
        require_migrated(wiring.store)
    except ClarionError as error:
        return Finding(False, str(error), "run `clarion migrate` with this version of the program")
    return Finding(True, "the schema is this version's")


def _secrets(wiring: Wiring) -> Finding:
    if wiring.settings.secret_key is None:
        return Finding(False, "there is no secret key yet", "run `clarion up`, or set CLARION_SECRET_KEY")
    try:
        with wiring.store.read() as session:
            check_key(session, wiring.box)
    except UndecryptableSecret as error:
        return Finding(False, str(error), "set CLARION_SECRET_KEY to the key that was used before")
    return Finding(True, "the secret key opens what is stored")


def _broker(wiring: Wiring) -> Finding:
    if wiring.settings.broker_scheme == "memory":
        return Finding(True, "in-process, for `clarion up`")
    try:
        wiring.bus.ping()
    except ClarionError as error:
        return Finding(False, str(error), "check that RabbitMQ runs and that CLARION_BROKER_URL names it")
    return Finding(True, "RabbitMQ answers")


def _clock(wiring: Wiring) -> Finding:
    with wiring.store.read() as session:
        skew = abs((leases.database_now(session) - datetime.now(UTC)).total_seconds())
    if skew > MOST_SKEW_SECONDS:
        return Finding(False, f"{skew:.1f} s off the database's", "let both machines keep time by NTP")
    return Finding(True, f"{skew * 1_000:.0f} ms off the database's")


def _leader(wiring: Wiring) -> Finding:
    with wiring.store.read() as session:
        holder = leases.current_holder(session, LEASE)
        running = instances.alive(session, datetime.now(UTC))
    if holder is None:
        return Finding(
            False, "nobody leads, so nothing is fetched", "start `clarion up` or `clarion fetcher`"
        )
    return Finding(True, f"{holder} leads; {len(running)} processes run")


def _sources(wiring: Wiring) -> Finding:
    require_migrated(wiring.store)
    now = datetime.now(UTC)
    with wiring.store.read() as session:
        found = source_health.health(session, now, LATE_AFTER, wiring.polled_kinds)
        cooled = [f"{one.host} until {one.until:%H:%M} UTC" for one in host_cooldowns.cooling(session, now)]
    words = f"{found.polled} polled, {found.failing} failing, {found.disabled} disabled"
    if cooled:
        words += f"; left alone, as they ask for: {', '.join(cooled[:MOST_HOSTS])}"
    if found.late:
        advice = "see the leader's log, or raise CLARION_POLL_THREADS"
        return Finding(False, f"{found.late} late: {words}", advice)
    return Finding(True, words)


def _matching(wiring: Wiring) -> Finding:
    if is_compiled():
        return Finding(True, "the index is compiled")
    return Finding(
        True, "the index is in plain Python", "install a C compiler, then Clarion again: many times faster"
    )


def _mail(wiring: Wiring) -> Finding:
    url = wiring.settings.smtp_url
    if url is None:
        return Finding(True, "not set up: `clarion up` keeps mail in its data folder, the roles send none")
    try:
        mail_transport(url.get_secret_value()).check()
    except (OSError, smtplib.SMTPException) as error:
        return Finding(False, f"{type(error).__name__}: {error}", "check CLARION_SMTP_URL")
    return Finding(True, "the mail server answers")
