"""Workers killed in the middle of their batches: nothing may be lost, and what is repeated has the same id.

    python -m bench.kills --kills 50 --deliveries 20000

One fetcher, one router and two workers; a receiver that takes 50 ms to answer, more or less. For each kill an
article goes to all channels; when as many of its deliveries as chance says have arrived, a worker that has
claimed a batch gets SIGKILL and is started again. What it had claimed comes back 15 s after it was last heard
of, so the end takes longer than the kills. Prints one line of JSON; ends with 1 when a delivery is lost, not
finished in the ledger, or repeated under another `webhook-id`.
"""

import random
import sys
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import text

from bench.command import options, report
from bench.installation import Installation, installation, shared_servers
from bench.population import Articles
from bench.sink_process import Arrival, SinkProcess
from tests.servers.clarion import ClarionProcess
from tests.servers.process import wait_until

WORD = "everyone"
WORKERS = 2
START_SECONDS = 60.0
KILL_PATIENCE_SECONDS = 30.0
# A claim's 15 s, then a minute until what nobody took is enqueued again, and once more for a kill in between.
END_SECONDS = 180.0
LEDGER_POLL_SECONDS = 0.5

_CLAIMED = text(
    """
    SELECT b.claimed_by, sum(jsonb_array_length(b.delivery_ids))
    FROM batches AS b WHERE b.state = 'claimed' GROUP BY 1
    """
)
_WORKERS = text("SELECT id FROM instances WHERE role = 'worker'")
_UNFINISHED = text("SELECT count(*) FROM deliveries WHERE state <> 'delivered'")
_MADE = text("SELECT count(*) FROM deliveries")


class Workers:
    """The workers that run, by the ids under which they claim."""

    def __init__(self, made: Installation) -> None:
        self._made = made
        self._running: dict[str, ClarionProcess] = {}
        self.claimed_when_killed: list[int] = []

    def start(self) -> None:
        """Start one more."""
        known = self._known()
        (process,) = self._made.start("worker")
        self._register(process, known)

    def kill_one(self, chance: random.Random) -> None:
        """Kill a worker in the middle of its work, any where none is, and start it again."""
        claimed = self._claimed()
        working = sorted(claimed.keys() & self._running.keys()) or sorted(self._running)
        victim = chance.choice(working)
        process = self._running.pop(victim)
        process.kill()
        self.claimed_when_killed.append(self._claimed().get(victim, 0))
        known = self._known()
        process.start()
        self._register(process, known)

    def _register(self, process: ClarionProcess, known: set[str]) -> None:
        if not wait_until(lambda: bool(self._known() - known) or not process.running, START_SECONDS):
            raise SystemExit(f"a worker did not start: {process.errors}")
        for id_ in self._known() - known:
            self._running[id_] = process

    def _known(self) -> set[str]:
        with self._made.store.read() as session:
            return set(session.execute(_WORKERS).scalars())

    def _claimed(self) -> dict[str, int]:
        with self._made.store.read() as session:
            return {instance: int(count) for instance, count in session.execute(_CLAIMED)}


def run(given: Namespace) -> dict[str, Any]:
    """Kill and count."""
    channels, chance = given.deliveries // given.kills, random.Random(given.seed)
    # Each takes as long as chance says, else all of a batch would be answered in step.
    paths = [f"/wait/{chance.randrange(2 * given.answer_ms + 1)}/hook/{n}" for n in range(channels)]
    with (
        shared_servers() as servers,
        SinkProcess(records=True) as sink,
        installation(servers, sink) as made,
    ):
        made.populate({path: [WORD] for path in paths})
        made.start("fetcher", "router")
        workers = Workers(made)
        for _ in range(WORKERS):
            workers.start()
        started = time.monotonic()
        articles = _kill(made, workers, given, channels, chance)
        killed = time.monotonic()
        unfinished = _wait_for_ledger(made, len(articles) * channels)
        ended, arrivals = time.monotonic(), sink.arrivals()
    hit = workers.claimed_when_killed
    return {
        "expected": len(articles) * channels,
        **_verdict({(article, path) for article in articles for path in paths}, arrivals),
        "unfinished_in_ledger": unfinished,
        "killed_with_claims": sum(count > 0 for count in hit),
        "claimed_when_killed": sum(hit),
        "kills_seconds": round(killed - started, 1),
        "seconds": round(ended - started, 1),
    }


def _kill(
    made: Installation, workers: Workers, given: Namespace, channels: int, chance: random.Random
) -> list[str]:
    """Publish an article for each kill and kill while it is delivered; return the articles' ids."""
    articles, published = Articles(given.seed), list[str]()
    for _ in range(given.kills):
        article = articles.about(WORD)
        arrived = made.sink.counts()["count"]
        made.publish([article])
        published.append(article.id)
        made.sink.wait_for(arrived + chance.randrange(1, max(2, channels)), KILL_PATIENCE_SECONDS)
        workers.kill_one(chance)
    return published


def _wait_for_ledger(made: Installation, expected: int) -> int:
    """Wait until all is delivered; return how much is not, after waiting long enough for it."""

    def count(statement: Any) -> int:
        with made.store.read() as session:
            return int(session.execute(statement).scalar_one())

    wait_until(lambda: count(_UNFINISHED) == 0 and count(_MADE) == expected, END_SECONDS, LEDGER_POLL_SECONDS)
    return expected - count(_MADE) + count(_UNFINISHED)


def _verdict(expected: set[tuple[str, str]], arrivals: Iterable[Arrival]) -> dict[str, int]:
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for arrival in arrivals:
        ids[arrival.article, arrival.path].append(arrival.message_id)
    repeats = sum(len(of_pair) - 1 for of_pair in ids.values())
    same = sum(of_pair.count(of_pair[0]) - 1 for of_pair in ids.values())
    return {
        "lost": len(expected - ids.keys()),
        "repeats": repeats,
        "repeats_with_same_id": same,
        "repeats_with_another_id": repeats - same,
    }


def main() -> None:
    """Run, print, and say by the exit code whether the promise was kept."""
    given = options(__doc__, kills=50, deliveries=20_000, answer_ms=50).parse_args()
    figures = run(given)
    report("kills", given, figures)
    broken = figures["lost"] or figures["repeats_with_another_id"] or figures["unfinished_in_ledger"]
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
