"""Deliveries per second, from publish to the last `delivered` in the ledger, beside two peers.

    python -m bench.fanout --channels 20000

On one RabbitMQ, one PostgreSQL and one sink, in one run: (a) Clarion with one router and one worker process,
one article to all channels, then 20 articles to 1,000 of them; (b) the obvious way (bench.obvious_way);
(c) bare libcurl to the sink. Prints one line of JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pycurl
import requests
from sqlalchemy import text

from bench.obvious_way import obvious_way
from core.bus.backend import connect_bus
from core.clock import SystemClock
from core.message import ArticleMessage
from core.query import canonical
from core.signing import SecretBox, new_secret
from core.store import accounts, channels, subscriptions
from core.store.channels import NewChannel
from core.store.engine import Store, open_store
from core.store.schema import migrate
from core.store.states import ChannelState
from core.store.subscriptions import NewSubscription
from tests.servers.clarion import ClarionProcess
from tests.servers.shared import SharedServers

SECRET_KEY = "a-key-for-the-benchmark-of-enough-length"
SUMMARY = "Pods now drain before their node goes, so fewer requests fail while a cluster is upgraded. " * 3
PATIENCE_SECONDS = 40


@contextmanager
def sink() -> Iterator[str]:
    """Run the sink as a process of its own; yields its URL."""
    process = subprocess.Popen([sys.executable, "-m", "bench.sink", "0"], stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise SystemExit("the sink has no output")
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def populate(store: Store, url: str, count: int, few: int) -> None:
    """Subscribe `count` webhooks to one word, and `few` of them to another."""
    clock, box = SystemClock(), SecretBox.from_setting(SECRET_KEY)
    with store.write() as session:
        account = accounts.ensure_account(session, "bench", clock.now())
        for number in range(count):
            target = f"{url}/hook/{number}"
            config = {"url": target, "headers": {}, "secret": new_secret()}
            new = NewChannel("webhook", "webhook", target, ChannelState.ACTIVE, config)
            channel = channels.add(session, box, account, new, clock.now())
            for word in ["everyone", "few"] if number < few else ["everyone"]:
                query = NewSubscription(word, canonical(word), topic=False)
                subscriptions.add(session, account, channel.id, query, clock.now())
    with store.write() as session:
        session.execute(text("ANALYZE"))


def delivered(store: Store) -> int:
    """Count what the ledger has as delivered."""
    with store.read() as session:
        return int(
            session.execute(text("SELECT count(*) FROM deliveries WHERE state = 'delivered'")).scalar_one()
        )


def states(store: Store) -> list[tuple[Any, ...]]:
    """Return how many deliveries there are in each state, for each last reason."""
    grouped = text("SELECT state, reason, count(*), max(attempts) FROM deliveries GROUP BY 1, 2")
    with store.read() as session:
        return [tuple(row) for row in session.execute(grouped)]


def measure(store: Store, publish: Callable[[], None], expected: int) -> float:
    """Return the deliveries per second from publishing to the last one delivered."""
    before, started = delivered(store), time.perf_counter()
    publish()
    while (done := delivered(store) - before) < expected:
        if time.perf_counter() - started > PATIENCE_SECONDS:
            raise SystemExit(f"only {done} of {expected} were delivered: {states(store)}")
        time.sleep(0.02)
    return expected / (time.perf_counter() - started)


def article(name: str, word: str) -> ArticleMessage:
    """Return an article that a word's subscribers get."""
    return ArticleMessage(
        id=name, version=1, title=f"News for {word}", summary=SUMMARY, url="https://example.com/x"
    )


def bare_libcurl(url: str, count: int, at_once: int = 100) -> float:
    """Return the POSTs per second of libcurl's multi interface alone."""
    multi, body, left, done = pycurl.CurlMulti(), b"x" * 900, count, 0
    headers = ["Content-Type: application/json", "Expect:", "webhook-id: x"]

    def handle(number: int) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"{url}/bare/{number}")
        curl.setopt(pycurl.HTTPHEADER, headers)
        curl.setopt(pycurl.POSTFIELDS, body)
        return curl

    started = time.perf_counter()
    for number in range(at_once):
        multi.add_handle(handle(number))
        left -= 1
    while done < count:
        multi.perform()
        _more, good, bad = multi.info_read()
        if bad:
            raise SystemExit(f"libcurl failed: {bad[0][2]}")
        for curl in good:
            done += 1
            multi.remove_handle(curl)
            if left:
                multi.add_handle(curl)
                left -= 1
        if not good:
            multi.select(0.01)
    return count / (time.perf_counter() - started)


def run(count: int, few: int, naive: int) -> dict[str, Any]:
    """Measure all three in one run."""
    with ExitStack() as stack:
        servers = SharedServers()
        stack.callback(servers.close)
        url = stack.enter_context(sink())
        database, broker = servers.databases().create(), servers.vhosts().create()
        store, bus = open_store(database), connect_bus(broker)
        stack.callback(store.close)
        stack.callback(bus.close)
        migrate(store)
        populate(store, url, count, few)
        env = {
            "CLARION_DATABASE_URL": database,
            "CLARION_BROKER_URL": broker,
            "CLARION_SECRET_KEY": SECRET_KEY,
            "CLARION_EGRESS_ALLOW": "127.0.0.0/8",
            "CLARION_LOG_LEVEL": "warning",
        }
        roles = [stack.enter_context(ClarionProcess([role], env)) for role in ("router", "worker")]
        stack.callback(lambda: sys.stderr.write("".join(role.errors for role in roles)))
        publisher = bus.publisher()
        measure(store, lambda: publisher.publish(article("warm-up", "few")), few)
        one = measure(store, lambda: publisher.publish(article("one", "everyone")), count)
        many = [article(f"many-{number}", "few") for number in range(20)]
        twenty = measure(store, lambda: _publish_all(publisher, many), 20 * few)
        received = requests.get(f"{url}/count", timeout=10).json()
        obvious = obvious_way(servers.databases().create(), servers.vhosts().create(), url, naive)
        bare = statistics.median(bare_libcurl(url, count) for _ in range(3))
        return {
            "bench": "fanout",
            "cores": os.cpu_count(),
            "channels": count,
            "one_article_per_s": round(one),
            "twenty_articles_per_s": round(twenty),
            "received": received,
            "obvious_way_per_s": round(obvious),
            "bare_libcurl_per_s": round(bare),
            "ratio_to_obvious_way": round(one / obvious, 1),
            "ratio_to_bare_libcurl": round(one / bare, 3),
        }


def _publish_all(publisher: Any, messages: list[ArticleMessage]) -> None:
    failed = [outcome for outcome in publisher.publish_many(messages) if outcome is not None]
    if failed:
        raise SystemExit(f"not published: {failed[0]}")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--channels", type=int, default=20_000)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--obvious", type=int, default=2_000, help="deliveries of the obvious way")
    given = parser.parse_args()
    print(json.dumps(run(given.channels, min(given.few, given.channels), given.obvious)))


if __name__ == "__main__":
    main()
