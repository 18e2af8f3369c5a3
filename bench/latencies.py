"""How long articles take to each receiver: published at a steady rate, compared with what arrived when."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.sink_process import Arrival

T = TypeVar("T")


@dataclass(frozen=True)
class Paced:
    """When each was published, in monotonic seconds, and how far behind its time the latest was."""

    at: dict[str, float]
    late_seconds: float


def paced(items: Mapping[str, T], per_second: float, publish: Callable[[T], None]) -> Paced:
    """Publish at a steady rate, however long one takes; items are given by the names to find them under."""
    started, late, at = time.monotonic(), 0.0, dict[str, float]()
    for number, (name, item) in enumerate(items.items()):
        due = started + number / per_second
        time.sleep(max(0.0, due - time.monotonic()))
        at[name] = time.monotonic()
        late = max(late, at[name] - due)
        publish(item)
    return Paced(at, late)


def latencies(published: Mapping[str, float], arrivals: Iterable[Arrival]) -> dict[tuple[str, str], float]:
    """Return the seconds that each article took to each path, counting the first time that it came."""
    taken: dict[tuple[str, str], float] = {}
    for arrival in arrivals:
        if arrival.article in published:
            seconds = arrival.at - published[arrival.article]
            taken.setdefault((arrival.article, arrival.path), seconds)
    return taken


def percentile(seconds: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of all do not exceed (nearest rank)."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def in_milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the longest."""
    return {
        "p50_ms": round(percentile(seconds, 0.5) * 1_000, 1),
        "p99_ms": round(percentile(seconds, 0.99) * 1_000, 1),
        "max_ms": round(max(seconds) * 1_000, 1),
    }
