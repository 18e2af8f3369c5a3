"""From publishing an article to its arrival at each receiver, at a steady rate.

    python -m bench.latency --rate 20 --matches 50 --seconds 60

Clarion runs as one fetcher, one router and one worker process. Beside it, in the same run, the obvious way
(bench.obvious_way) with as many matches per article, at `--obvious-rate` articles a second, since it bears no
more than some hundred deliveries a second. Prints one line of JSON; ends with 1 when something is missing.
"""

import sys
from argparse import Namespace
from typing import Any

from bench.command import options, report
from bench.installation import installation, shared_servers
from bench.latencies import in_milliseconds, latencies, paced
from bench.obvious_way import ObviousWay
from bench.population import Articles
from bench.sink_process import Arrival, SinkProcess
from tests.servers.shared import SharedServers

WORD = "everyone"
WARM_UP = 20


def clarion(servers: SharedServers, sink: SinkProcess, given: Namespace) -> dict[str, Any]:
    """Measure Clarion."""
    articles, count = Articles(given.seed), round(given.rate * given.seconds)
    with installation(servers, sink) as made:
        made.populate({f"/hook/{number}": [WORD] for number in range(given.matches)})
        made.start("fetcher", "router", "worker")
        made.measure(articles.several(WARM_UP, WORD), WARM_UP * given.matches)
        sink.reset()
        measured = {article.id: article for article in articles.several(count, WORD)}
        published = paced(measured, given.rate, made.publisher.publish)
        made.wait(count * given.matches, count * given.matches)
        made.require_all_delivered()
    arrivals = sink.arrivals()
    taken = latencies(published.at, arrivals)
    return {
        "deliveries": count * given.matches,
        "missing": count * given.matches - len(taken),
        "repeated": len(arrivals) - len(taken),
        **in_milliseconds(list(taken.values())),
        "published_late_ms": round(published.late_seconds * 1_000, 1),
    }


def obvious_way(servers: SharedServers, sink: SinkProcess, given: Namespace) -> dict[str, Any]:
    """Measure the peer: a message for each delivery, of rows that are there already."""
    names = [f"obvious-{number}" for number in range(round(given.obvious_rate * given.seconds))]
    with ObviousWay(servers.databases().create(), servers.vhosts().create()) as way:
        way.per_second([f"{sink.url}/warm-up/{number}" for number in range(given.matches)])
        rows = {
            name: way.add([f"{sink.url}/{name}/{number}" for number in range(given.matches)])
            for name in names
        }
        sink.reset()
        published = paced(rows, given.obvious_rate, way.send)
        way.wait()
    taken = latencies(published.at, map(_named_by_path, sink.arrivals()))
    figures = {"deliveries": len(names) * given.matches, **in_milliseconds(list(taken.values()))}
    figures["published_late_ms"] = round(published.late_seconds * 1_000, 1)
    return {f"obvious_way_{name}": value for name, value in figures.items()}


def _named_by_path(arrival: Arrival) -> Arrival:
    return Arrival(arrival.at, arrival.path, arrival.message_id, arrival.path.split("/", 2)[1])


def run(given: Namespace) -> dict[str, Any]:
    """Measure both in one run."""
    with shared_servers() as servers, SinkProcess(records=True) as sink:
        return {**clarion(servers, sink, given), **obvious_way(servers, sink, given)}


def main() -> None:
    """Run and print."""
    given = options(__doc__, rate=20.0, matches=50, seconds=60.0, obvious_rate=2.0).parse_args()
    figures = run(given)
    report("latency", given, figures)
    sys.exit(1 if figures["missing"] else 0)


if __name__ == "__main__":
    main()
