"""The whole pipeline on real feeds: every expected delivery arrives once, and a second poll brings none.

    python -m bench.pipeline --mode embedded
    python -m bench.pipeline --mode processes

Serves recorded feeds on this machine, subscribes one webhook per topic, and compares what arrived with what
an independent evaluation of each topic over each article says should have. Prints one line of JSON.
"""

import argparse
import csv
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from bench.sample_feeds import OWN_FEEDS, OWN_TOPICS
from clarion.api_client import ApiClient
from core.query import matches, parse, topic_query
from tests.servers.clarion import ClarionProcess
from tests.servers.shared import SharedServers

KEY = "bench-administrator-key"
PATIENCE_SECONDS = 240.0
PAGE = 10_000
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass
class Site:
    """Serves the feeds, and counts the webhooks that arrive with a good signature."""

    feeds: dict[str, bytes]
    secrets: dict[str, str] = field(default_factory=dict)
    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    ids: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    unverified: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve on a free port."""
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                body = site.feeds.get(self.path.strip("/"))
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                site.take(self.path.strip("/"), body, {k.lower(): v for k, v in self.headers.items()})
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

        server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
        server.server_close()

    def take(self, name: str, body: bytes, headers: dict[str, str]) -> None:
        """Verify one webhook with the official library, and count it."""
        try:
            event = Webhook(self.secrets[name]).verify(body, headers)
        except Exception:
            with self.lock:
                self.unverified += 1
            return
        pair = (name, event["data"]["article"]["uid"])
        with self.lock:
            self.received[pair] += 1
            self.ids.setdefault(pair, set()).add(headers["webhook-id"])


def load_feeds() -> dict[str, bytes]:
    """Return the recorded feeds, or the project's own where those are not at hand."""
    files = sorted((DATA / "feeds").glob("*.xml"))
    return {file.stem: file.read_bytes() for file in files} or OWN_FEEDS


def load_topics(count: int) -> list[str]:
    """Return topics that people follow."""
    file = DATA / "github_topics.csv"
    if not file.exists():
        return OWN_TOPICS
    with file.open(encoding="utf-8", newline="") as stream:
        names = list(dict.fromkeys(row["display_name"] for row in csv.DictReader(stream)))
    # Every so many-th, so that all letters are there, and a few that news are surely about.
    step = max(1, len(names) // (count - len(OWN_TOPICS)))
    return list(dict.fromkeys([*OWN_TOPICS, *names[::step]]))[:count]


@contextmanager
def embedded(port_file: Path) -> Iterator[list[ClarionProcess]]:
    """Run `clarion up`."""
    with ClarionProcess(["up", "--port", "0", "--data", str(port_file)], environment()) as up:
        yield [up]


def environment(**more: str) -> dict[str, str]:
    """Return the settings of every process."""
    return {
        "CLARION_API_KEY": KEY,
        "CLARION_EGRESS_ALLOW": "127.0.0.0/8",
        "CLARION_HOST_SPACING_SECONDS": "0",
        "CLARION_LOG_LEVEL": "warning",
        **more,
    }


@contextmanager
def processes(servers: SharedServers) -> Iterator[list[ClarionProcess]]:
    """Run one api and two of every other role on RabbitMQ and PostgreSQL."""
    env = environment(
        CLARION_DATABASE_URL=servers.databases().create(),
        CLARION_BROKER_URL=servers.vhosts().create(),
        CLARION_SECRET_KEY="a-key-for-the-benchmark-of-enough-length",
    )
    with ExitStack() as stack:
        with ClarionProcess(["migrate"], env) as migrate:
            migrate.wait(0, 60)
        roles = [["api", "--port", "0"], *([role] for role in ("router", "worker", "fetcher") * 2)]
        yield [stack.enter_context(ClarionProcess(role, env)) for role in roles]


def api_of(running: list[ClarionProcess]) -> ApiClient:
    """Wait for the API and return a client."""
    url = running[0].wait_for_line(r"http://127\.0\.0\.1:\d+", timeout=60).group(0)
    return ApiClient(url, KEY)


def subscribe(client: ApiClient, site: Site, topics: list[str]) -> dict[str, str]:
    """Subscribe one webhook per topic; return topics by the name of their webhook."""
    names = {}
    for number, topic in enumerate(topics):
        name = f"hook{number}"
        channel = {"kind": "webhook", "url": f"{site.url}/{name}"}
        made = client.call("POST", "/v1/subscriptions", {"topic": topic, "channel": channel})
        site.secrets[name] = made["channel"]["secret"]
        names[name] = topic
    return names


def wait_for_polls(client: ApiClient, source_ids: list[str], since: dict[str, Any]) -> list[dict[str, Any]]:
    """Wait until every source was polled once more than `since`; return those that failed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        sources = {s["id"]: s for s in client.pages("/v1/sources", PAGE)}
        done = [i for i in source_ids if _polled(sources[i]) != since.get(i)]
        if len(done) == len(source_ids):
            return [sources[i] for i in source_ids if sources[i]["last_error"]]
        time.sleep(0.5)
    raise SystemExit("sources were not polled in time")


def _polled(source: dict[str, Any]) -> tuple[Any, Any]:
    return source["last_success_at"], source.get("last_error_at")


def wait_until_settled(client: ApiClient, quiet_seconds: float = 5.0) -> list[dict[str, Any]]:
    """Wait until nothing is pending and nothing new comes; return all deliveries."""
    deadline, since, before = time.monotonic() + PATIENCE_SECONDS, time.monotonic(), -1
    while time.monotonic() < deadline:
        rows = client.pages("/v1/deliveries", 1_000_000)
        open_rows = sum(row["state"] in ("pending", "sending") for row in rows)
        if len(rows) != before or open_rows:
            before, since = len(rows), time.monotonic()
        elif time.monotonic() - since > quiet_seconds:
            return rows
        time.sleep(0.5)
    states = Counter(row["state"] for row in rows)
    raise SystemExit(f"deliveries did not come to rest in time: {states}")


def expected_pairs(client: ApiClient, topics: dict[str, str]) -> set[tuple[str, str]]:
    """Evaluate each topic over each article, one by one, without the matching index."""
    articles = client.pages("/v1/articles", 1_000_000)
    queries = {name: parse(topic_query(topic)) for name, topic in topics.items()}
    return {
        (name, article["uid"])
        for article in articles
        for name, query in queries.items()
        if matches(
            query,
            article["title"],
            article["summary"],
            source=[part for part in (article["source"] or {}).values() if part],
            language=article["language"],
            categories=article["categories"],
        )
    }


def run(mode: str, topic_count: int) -> dict[str, Any]:
    """Run one mode and return its counts."""
    site, servers, started = Site(load_feeds()), SharedServers(), time.monotonic()
    with ExitStack() as stack:
        stack.callback(servers.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(site.serving())
        running = stack.enter_context(embedded(folder) if mode == "embedded" else processes(servers))
        client = api_of(running)
        topics = subscribe(client, site, load_topics(topic_count))
        ids = [client.call("POST", "/v1/sources", {"url": f"{site.url}/{n}"})["id"] for n in site.feeds]
        failed = wait_for_polls(client, ids, dict.fromkeys(ids, (None, None)))
        ledger = wait_until_settled(client)
        expected, first = expected_pairs(client, topics), Counter(site.received)
        before = {s["id"]: _polled(s) for s in client.pages("/v1/sources", PAGE)}
        for source_id in ids:
            client.call("POST", f"/v1/sources/{source_id}/fetch")
        wait_for_polls(client, ids, before)
        again = len(wait_until_settled(client)) - len(ledger)
        for process in running:
            process.terminate(0)
        return {
            "mode": mode,
            "processes": len(running),
            "feeds": len(ids),
            "feeds_failed": [source["url"].rsplit("/", 1)[1] for source in failed],
            "subscriptions": len(topics),
            "articles": len({uid for _name, uid in expected}),
            "expected": len(expected),
            "arrived": len(first),
            "missing": len(expected - first.keys()),
            "unexpected": len(first.keys() - expected),
            "repeated": sum(count - 1 for count in first.values()),
            "unverified_signatures": site.unverified,
            "delivered_in_ledger": sum(row["state"] == "delivered" for row in ledger),
            "second_poll": again + sum((site.received - first).values()),
            "seconds": round(time.monotonic() - started, 1),
        }


def main() -> None:
    """Run the chosen mode and exit 0 only when every count is as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", choices=["embedded", "processes", "both"], default="both")
    parser.add_argument("--topics", type=int, default=200)
    arguments = parser.parse_args()
    modes = ["embedded", "processes"] if arguments.mode == "both" else [arguments.mode]
    good = True
    for mode in modes:
        counts = run(mode, arguments.topics)
        print(json.dumps(counts), flush=True)
        wrong = ("missing", "unexpected", "repeated", "unverified_signatures", "second_poll")
        good = good and counts["expected"] > 0 and not any(counts[name] for name in wrong)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
