"""What it took to ask for the subscriptions of articles, in the same terms for whoever was asked."""

import math
import statistics
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.latencies import percentile

Seconds = list[list[float]]
"""By run and article."""


@dataclass(frozen=True)
class Asking:
    """Seconds for each article, by run, and the ids that it matched, sorted.

    `finding` is until it is known which subscriptions match, `listing` until all their ids are Python
    numbers, so that finding is a part of it.
    """

    finding: Seconds
    listing: Seconds
    ids: "list[array[int]]"


def in_microseconds(runs: Seconds) -> dict[str, float]:
    """Return mean, median and 99th percentile over the articles, each the median of runs."""
    return {
        "mean_us": round(statistics.median(map(statistics.fmean, runs)) * 1e6, 2),
        "p50_us": round(statistics.median(percentile(run, 0.5) for run in runs) * 1e6, 2),
        "p99_us": round(statistics.median(percentile(run, 0.99) for run in runs) * 1e6, 2),
    }


def times_faster(ours: Seconds, peers: Seconds) -> float:
    """Return how many times as long the peer took for the articles that it was asked about."""
    count = len(peers[0])
    own = statistics.median(sum(run[:count]) for run in ours)
    return round(statistics.median(map(sum, peers)) / own, 1)


def differing(ours: Sequence["array[int]"], peers: Sequence["array[int]"]) -> int:
    """Return for how many of the peer's articles it found other subscriptions."""
    return sum(one != other for one, other in zip(ours, peers, strict=False))


def exponent(by_size: Mapping[int, float]) -> float | None:
    """Return the power of the size with which a figure grows: the slope of a line through the logarithms.

    None for a single size.
    """
    if len(by_size) < 2:
        return None
    sizes, figures = map(math.log, by_size), map(math.log, by_size.values())
    return round(statistics.linear_regression(list(sizes), list(figures)).slope, 3)


def medians(several: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: round(statistics.median(one[name] for one in several), 3) for name in several[0]}


def together(several: Sequence[Asking]) -> Asking:
    """Return runs of several processes as runs of one; all have the ids of the first."""
    return Asking(
        [run for one in several for run in one.finding],
        [run for one in several for run in one.listing],
        several[0].ids,
    )
