"""What a delivery costs as channels grow in number: one article to all of them, ten times as many each time.

    python -m bench.growth --sizes 1000,10000,100000

One installation, one router and one worker process; channels are added between sizes. At each size articles
follow one another, each waited for, until a round has `--least` deliveries; medians of rounds. `wall_us` and
`cpu_us` are per delivery; the spreads say how much more the dearest size costs than the cheapest, and `flat`
whether that is within 20 % of CPU. An article takes some time before its first delivery, so with few channels
the wall time of each is more. Prints one line of JSON.
"""

import statistics
from argparse import Namespace
from itertools import pairwise
from typing import Any

from bench.command import options, report, sizes
from bench.installation import Installation, Round, cpu_microseconds, installation, shared_servers
from bench.population import Articles
from bench.sink_process import SinkProcess

WORD = "everyone"
FLAT = 0.2


def run(given: Namespace) -> dict[str, Any]:
    """Measure each size."""
    articles, measured = Articles(given.seed), list[dict[str, Any]]()
    with shared_servers() as servers, SinkProcess() as sink, installation(servers, sink) as made:
        made.start("router", "worker")
        for before, size in pairwise([0, *given.sizes]):
            made.populate({f"/hook/{number}": [WORD] for number in range(before, size)})
            made.measure([articles.about(WORD)], size)
            rounds = [_round(made, articles, size, given.least) for _ in range(given.rounds)]
            measured.append(_figures(size, rounds))
    spreads = {name: _spread([one[name] for one in measured]) for name in ("wall_us", "cpu_us")}
    return {
        "by_size": measured,
        **{f"{name}_spread": spread for name, spread in spreads.items()},
        "flat": spreads["cpu_us"] <= FLAT,
    }


def _round(made: Installation, articles: Articles, size: int, least: int) -> Round:
    """Publish one article after the other until there are `least` deliveries; return all as one round."""
    parts = [made.measure([articles.about(WORD)], size) for _ in range(-(-least // size))]
    return Round(
        size * len(parts),
        sum(part.seconds for part in parts),
        {name: sum(part.cpu[name] for part in parts) for name in parts[0].cpu},
    )


def _figures(size: int, rounds: list[Round]) -> dict[str, Any]:
    wall = statistics.median(one.seconds / one.deliveries for one in rounds)
    cpu = statistics.median(sum(one.cpu.values()) / one.deliveries for one in rounds)
    return {
        "channels": size,
        "deliveries_a_round": rounds[0].deliveries,
        "wall_us": round(wall * 1e6, 1),
        "cpu_us": round(cpu * 1e6, 1),
        "cpu_us_by_part": cpu_microseconds(rounds),
    }


def _spread(values: list[float]) -> float:
    return round(max(values) / min(values) - 1, 3)


def main() -> None:
    """Run and print."""
    parser = options(__doc__, rounds=3, least=20_000)
    parser.add_argument("--sizes", type=sizes, default=[1_000, 10_000, 100_000], help="comma-separated")
    given = parser.parse_args()
    report("growth", given, run(given))


if __name__ == "__main__":
    main()
