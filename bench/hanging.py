"""What one receiver that never answers costs the others: their latency with it and without it, in turns.

    python -m bench.hanging --rounds 5

One fetcher, one router and one worker process; `--healthy` webhooks, and at most one that hangs, all at the
same host. Rounds without and with a hanging one follow each other; each of the latter has one that Clarion
has never seen fail, which is the worst case. After a round what hangs is let go, so nothing reaches into the
next. Prints one line of JSON with the medians of the rounds' 95th percentiles and their ratio.
"""

import statistics
import sys
import time
from argparse import Namespace
from typing import Any

from bench.command import options, report
from bench.installation import PATIENCE_SECONDS, Installation, installation, shared_servers
from bench.latencies import latencies, paced, percentile
from bench.population import Articles
from bench.sink_process import SinkProcess

WORD = "healthy"
AIM = 1.5
NEVER_SECONDS = "86400"  # what has failed must not be tried again within the run
LET_GO_SECONDS = 0.05


def run(given: Namespace) -> dict[str, Any]:
    """Measure the rounds in turns."""
    articles, without, with_one, hung = Articles(given.seed), list[float](), list[float](), 0
    with (
        shared_servers() as servers,
        SinkProcess(records=True) as sink,
        installation(servers, sink, CLARION_RETRY_SCHEDULE=NEVER_SECONDS) as made,
    ):
        # Those that hang come first, so that they are first in each batch.
        hanging = {f"/hang/{number}": [_word(number)] for number in range(given.rounds)}
        made.populate(hanging | {f"/hook/{number}": [WORD] for number in range(given.healthy)})
        made.start("fetcher", "router", "worker")
        _round(made, articles, given, WORD)
        for number in range(given.rounds):
            without.append(_round(made, articles, given, WORD)[0])
            p95, hanging_pushes = _round(made, articles, given, WORD, _word(number))
            with_one.append(p95)
            hung += hanging_pushes
    ratio = statistics.median(with_one) / statistics.median(without)
    return {
        "hanging_pushes": hung,
        "without_p95_ms": _milliseconds(without),
        "with_p95_ms": _milliseconds(with_one),
        "without_rounds_ms": [_milliseconds([one]) for one in without],
        "with_rounds_ms": [_milliseconds([one]) for one in with_one],
        "ratio": round(ratio, 2),
        "fair": ratio <= AIM,
    }


def _round(made: Installation, articles: Articles, given: Namespace, *words: str) -> tuple[float, int]:
    """Return the 95th percentile of the healthy ones' latencies, and how many pushes hung meanwhile."""
    made.sink.reset()
    measured = {article.id: article for article in articles.several(given.articles, *words)}
    published = paced(measured, given.rate, made.publisher.publish)
    expected = len(measured) * given.healthy
    made.sink.wait_for(expected, PATIENCE_SECONDS)
    taken = latencies(published.at, made.sink.arrivals())
    healthy = [seconds for (_article, path), seconds in taken.items() if path.startswith("/hook/")]
    if len(healthy) != expected:
        raise SystemExit(f"{len(healthy)} of {expected} arrived")
    _let_go(made)
    return percentile(healthy, 0.95), len(taken) - len(healthy)


def _let_go(made: Installation) -> None:
    """Have what hangs answered until nothing is under way."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while made.has_batches():
        if time.monotonic() > deadline:
            raise SystemExit(f"batches were not ended: {made.states()}")
        made.sink.release()
        time.sleep(LET_GO_SECONDS)


def _word(number: int) -> str:
    return f"hang{number}"


def _milliseconds(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1_000, 1)


def main() -> None:
    """Run and print."""
    given = options(__doc__, healthy=99, articles=40, rate=10.0, rounds=5).parse_args()
    figures = run(given)
    report("hanging", given, figures)
    if not figures["hanging_pushes"]:
        sys.exit("nothing hung, so nothing was measured")


if __name__ == "__main__":
    main()
