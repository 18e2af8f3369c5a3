"""The worker's memory over many deliveries: it must not grow with what it has sent.

    python -m bench.memory --articles 200 --channels 1000

One router and one worker process; a few articles are under way at any time. The resident set is sampled after
each article, and the first tenth is warm-up. Prints one line of JSON: megabytes after the warm-up and at the
end, the most in between, and whether all stays within `--within` of the first.
"""

from argparse import Namespace
from typing import Any

from bench.command import options, report
from bench.installation import PATIENCE_SECONDS, Installation, installation, shared_servers
from bench.population import Articles
from bench.processes import resident_megabytes
from bench.sink_process import SinkProcess
from tests.servers.clarion import ClarionProcess

WORD = "everyone"
UNDER_WAY = 4
WARM_UP_PART = 10


def run(given: Namespace) -> dict[str, Any]:
    """Measure it."""
    with shared_servers() as servers, SinkProcess() as sink, installation(servers, sink) as made:
        made.populate({f"/hook/{number}": [WORD] for number in range(given.channels)})
        _router, worker = made.start("router", "worker")
        samples = _samples(made, worker, given)
        made.wait(given.articles * given.channels, given.channels)
        made.require_all_delivered()
        samples.append(resident_megabytes(worker.pid))
    warm = samples[len(samples) // WARM_UP_PART :]
    return {
        "deliveries": given.articles * given.channels,
        "first_mb": round(samples[0], 1),
        "start_mb": round(warm[0], 1),
        "end_mb": round(warm[-1], 1),
        "growth_mb": round(warm[-1] - warm[0], 1),
        "most_mb": round(max(warm) - warm[0], 1),
        "steady": max(abs(sample - warm[0]) for sample in warm) <= given.within,
    }


def _samples(made: Installation, worker: ClarionProcess, given: Namespace) -> list[float]:
    """Publish all articles, a few at a time; return the worker's megabytes as each had arrived."""
    articles, samples = Articles(given.seed), list[float]()
    for number in range(given.articles):
        made.publish([articles.about(WORD)])
        before = number - UNDER_WAY + 1
        if before > 0:
            made.sink.wait_for(before * given.channels, PATIENCE_SECONDS)
            samples.append(resident_megabytes(worker.pid))
    return samples


def main() -> None:
    """Run and print."""
    given = options(__doc__, articles=200, channels=1_000, within=20.0).parse_args()
    report("memory", given, run(given))


if __name__ == "__main__":
    main()
