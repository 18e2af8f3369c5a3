"""`clarion demo`: the main job in one process, watched by a person or checked by a program."""

import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from ipaddress import ip_network
from pathlib import Path

import click

from clarion.api_client import ApiClient
from clarion.commands.serving import port_option, prepare
from clarion.data_folder import DataFolder
from clarion.demo.receivers import LocalMailbox, LocalSite
from clarion.logs import configure_logs
from clarion.process import Heartbeat, start_all, stop_all, stop_on_signals, wait_for_signal
from clarion.roles import Role
from clarion.wiring import Wiring
from core.errors import ClarionError
from core.settings import Settings, load_settings
from core.store.accounts import new_key

READER = "reader@example.com"
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.2
WEBHOOKS = {
    "platform-team": 'kubernetes OR "message queue" OR category:databases',
    "python-fans": "python -kubernetes",
}
MAILED = "machine learning"
EXPECTED = Counter(
    {
        ("platform-team", "Kubernetes 1.40 makes rollouts calmer"): 1,
        ("platform-team", "What a message queue is for"): 1,
        ("platform-team", "PostgreSQL learns to skip scans"): 1,
        ("python-fans", "A rewrite in Rust that was not worth it"): 1,
        ("python-fans", "Python 3.15 starts twice as fast"): 1,
        (READER, "Machine learning on a coin cell"): 1,
    }
)


class Arrivals:
    """What arrived so far, printed as it comes."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._changed = threading.Condition()

    def __call__(self, channel: str, title: str) -> None:
        """Note and print one arrival."""
        kind = "mail   " if "@" in channel else "webhook"
        click.echo(f"  {kind}  {channel:<18}  {title}")
        sys.stdout.flush()
        with self._changed:
            self._counts[(channel, title)] += 1
            self._changed.notify_all()

    def wait(self, stop: threading.Event) -> bool:
        """Wait until everything expected is there; False when it takes too long or the user stops it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while not self._counts >= EXPECTED:
                if stop.is_set() or time.monotonic() >= deadline:
                    return False
                self._changed.wait(LOOK_SECONDS)  # a signal cannot wake it
        return True

    def check(self) -> None:
        """Raise ClarionError unless exactly what is expected arrived, once."""
        with self._changed:
            missing, surplus = EXPECTED - self._counts, self._counts - EXPECTED
        if missing or surplus:
            raise ClarionError(f"not as expected: missing {sorted(missing)}, too much {sorted(surplus)}")


@click.command()
@click.option("--once", is_flag=True, help="End when every expected article has arrived: 0 if so, else 1.")
@port_option
def demo(once: bool, port: int) -> None:
    """Show the main job on this machine: a sample feed, a webhook receiver and a mailbox."""
    stop = stop_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="clarion-demo-"))
    arrivals = Arrivals()
    site, mailbox = LocalSite(arrivals), LocalMailbox(arrivals)
    site.start()
    mailbox.start()
    try:
        key = new_key()
        wiring = Wiring(_settings(DataFolder(folder), mailbox.url, key), "demo")
        _run(wiring, stop, arrivals, site, mailbox, once=once, port=0 if once else port)
    finally:
        site.stop()
        mailbox.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: DataFolder, smtp_url: str, key: str) -> Settings:
    folder.ensure()
    return load_settings(
        api_key=key,
        database_url=folder.database_url,
        broker_url="memory:",
        secret_key=folder.secret_key(),
        smtp_url=smtp_url,
        mail_from="Clarion demo <clarion@example.com>",
        egress_allow=(ip_network("127.0.0.0/8"),),
        host_spacing_seconds=0,
        log_level="warning",
    )


def _run(
    wiring: Wiring,
    stop: threading.Event,
    arrivals: Arrivals,
    site: LocalSite,
    mailbox: LocalMailbox,
    *,
    once: bool,
    port: int,
) -> None:
    configure_logs(wiring.settings.log_format, wiring.settings.log_level)
    key = wiring.settings.api_key.get_secret_value() if wiring.settings.api_key else ""
    prepare(wiring, key, stop)
    server = wiring.api("127.0.0.1", port)
    url = f"http://127.0.0.1:{server.port}"
    roles: list[Role] = [wiring.worker(url), wiring.router(), wiring.fetcher(url), server]
    heartbeat = Heartbeat(wiring.store, wiring.instance, wiring.clock)
    heartbeat.start()
    start_all(roles)
    try:
        client = ApiClient(url, key)
        _subscribe(client, site)
        if mailbox.confirm(stop, PATIENCE_SECONDS):
            click.echo(f"{READER} agreed, by the link in the mail that asks")
        elif not stop.is_set():
            raise ClarionError(f"{READER} was not asked")
        _add_source(client, site)
        complete = arrivals.wait(stop)
        if complete and not once:
            _invite(url, key)
            wait_for_signal(stop)
        elif once or not stop.is_set():
            arrivals.check()
            click.echo(f"All {EXPECTED.total()} expected articles arrived.")
    finally:
        stop_all(roles)
        heartbeat.stop()
        wiring.close()


def _subscribe(client: ApiClient, site: LocalSite) -> None:
    """Subscribe two webhooks and a mail address."""
    for name, query in WEBHOOKS.items():
        channel = {"kind": "webhook", "url": f"{site.url}/{name}"}
        made = client.call("POST", "/v1/subscriptions", {"query": query, "channel": channel})
        site.expect(name, made["channel"]["secret"])
        click.echo(f"Subscribed webhook {name} to {query}")
    mail = {"kind": "email", "address": READER}
    client.call("POST", "/v1/subscriptions", {"topic": MAILED, "channel": mail})
    click.echo(f"Subscribed {READER} to the topic {MAILED}")


def _add_source(client: ApiClient, site: LocalSite) -> None:
    client.call("POST", "/v1/sources", {"url": f"{site.url}/feed.xml"})
    click.echo(f"Added the source {site.url}/feed.xml; what arrives:")


def _invite(url: str, key: str) -> None:
    click.echo(
        f"""
Everything has arrived. The API is up at {url}; try it, and stop with Ctrl-C:

  export KEY={key}
  curl -H "Authorization: Bearer $KEY" {url}/v1/deliveries
  curl -H "Authorization: Bearer $KEY" '{url}/v1/articles?q=python'
  curl -H "Authorization: Bearer $KEY" {url}/subscribe --json '{{"topic": "rust"}}'
  curl -H "Authorization: Bearer $KEY" {url}/news"""
    )
    sys.stdout.flush()
