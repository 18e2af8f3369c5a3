"""Deliveries per second, from publish to the last `delivered` in the ledger, beside peers.

    python -m bench.fanout --channels 20000

On one RabbitMQ, one PostgreSQL and one sink, in one run: (a) Clarion with one router and one worker process,
one article to all channels, then 20 articles to `--few` of them; (b) the obvious way (bench.obvious_way);
(c) bare libcurl to the sink, without and with signing. Each is the median of rounds that follow one to warm
up. Prints one line of JSON.
"""

import random
import statistics
from argparse import Namespace
from typing import Any

from bench.bare_libcurl import bare_libcurl
from bench.command import options, report
from bench.installation import Round, cpu_microseconds, installation, per_second, shared_servers
from bench.obvious_way import ObviousWay
from bench.population import Articles
from bench.sink_process import SinkProcess
from tests.servers.shared import SharedServers

ARTICLES = 20
EVERYONE, FEW = "everyone", "few"


def clarion(servers: SharedServers, sink: SinkProcess, given: Namespace) -> dict[str, Any]:
    """Measure (a), and require that nothing was sent twice."""
    paths = [f"/hook/{number}" for number in range(given.channels)]
    few = set(random.Random(given.seed).sample(paths, given.few))
    articles, one, twenty = Articles(given.seed), list[Round](), list[Round]()
    with installation(servers, sink) as made:
        made.populate({path: [EVERYONE, FEW] if path in few else [EVERYONE] for path in paths})
        made.start("router", "worker")
        for _ in range(given.rounds + 1):
            one.append(made.measure([articles.about(EVERYONE)], len(paths)))
        for _ in range(given.rounds + 1):
            twenty.append(made.measure(articles.several(ARTICLES, FEW), ARTICLES * len(few)))
    expected = sum(measured.deliveries for measured in one + twenty)
    received = sink.counts()
    if received != {"count": expected, "distinct": expected}:
        raise SystemExit(f"{expected} were delivered, the sink has {received}")
    return {
        "received": received,
        **_figures("one_article", one[1:]),
        **_figures("twenty_articles", twenty[1:]),
    }


def _figures(name: str, rounds: list[Round]) -> dict[str, Any]:
    return {
        f"{name}_per_s": per_second(rounds),
        f"{name}_rounds": [per_second([measured]) for measured in rounds],
        f"{name}_cpu_us": cpu_microseconds(rounds),
    }


def obvious_way(servers: SharedServers, sink: SinkProcess, given: Namespace) -> float:
    """Measure (b)."""
    urls = [f"{sink.url}/obvious/{number}" for number in range(given.obvious)]
    with ObviousWay(servers.databases().create(), servers.vhosts().create()) as way:
        way.per_second(urls[: max(1, len(urls) // 10)])
        return statistics.median(way.per_second(urls) for _ in range(given.rounds))


def bare(sink: SinkProcess, given: Namespace, *, signed: bool) -> float:
    """Measure (c)."""
    bare_libcurl(sink.url, given.channels, signed=signed)
    return statistics.median(
        bare_libcurl(sink.url, given.channels, signed=signed) for _ in range(given.rounds)
    )


def run(given: Namespace) -> dict[str, Any]:
    """Measure all of it in one run."""
    with shared_servers() as servers, SinkProcess() as sink:
        figures = clarion(servers, sink, given)
        peers = {
            "obvious_way": obvious_way(servers, sink, given),
            "bare_libcurl": bare(sink, given, signed=False),
            "bare_libcurl_signed": bare(sink, given, signed=True),
        }
    one = figures["one_article_per_s"]
    return {
        **figures,
        **{f"{name}_per_s": round(rate) for name, rate in peers.items()},
        **{f"ratio_to_{name}": round(one / rate, 3) for name, rate in peers.items()},
    }


def main() -> None:
    """Run and print."""
    parser = options(__doc__, channels=20_000, few=1_000, obvious=2_000, rounds=3)
    given = parser.parse_args()
    given.few = min(given.few, given.channels)
    report("fanout", given, run(given))


if __name__ == "__main__":
    main()
