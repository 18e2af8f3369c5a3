"""What matching a million subscriptions must do at least, and what is aimed at."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

SIZE = 1_000_000


class Goal(NamedTuple):
    """A figure by its path, whether much of it is good, and what it must be and should be."""

    name: str
    path: str
    more_is_better: bool
    floor: float
    aim: float


GOALS = (
    Goal("times faster than PostgreSQL's scan", "peers.tsquery_scan.times", True, 300, 2_500),
    Goal("... with a row for each distinct query", "peers.tsquery_scan_distinct.times", True, 300, 2_500),
    Goal("times faster than PostgreSQL's GIN", "peers.tsquery_gin.times", True, 10, 100),
    Goal("finding, p99, ms", "clarion.finding.p99_us", False, 1.5, 0.25),
    Goal("articles/s a core, ids listed", "clarion.articles_per_s", True, 2_000, 15_000),
    Goal("exponent of growth", "exponents.clarion", False, 0.6, 0.45),
    Goal("resident bytes a subscription", "clarion.resident_bytes", False, 200, 100),
    Goal("removal from the hottest topic, p99, ms", "clarion.hottest_discard_p99_us", False, 1, 0.02),
    Goal("visible after commit, p99, ms", "store.visible.p99_ms", False, 50, 5),
    Goal("cold start from the store, s", "store.cold_start_s", False, 20, 5),
)


class Outcome(NamedTuple):
    """What a goal came to."""

    name: str
    figure: float
    floor: float
    aim: float
    verdict: str


def outcomes(figures: Mapping[str, Any], goals: Iterable[Goal] = GOALS) -> Iterator[Outcome]:
    """Yield what came of each goal whose figure was taken."""
    for goal in goals:
        figure = _at(figures, goal.path)
        if figure is not None:
            figure = figure / 1_000 if goal.path.endswith("_us") else figure
            yield Outcome(goal.name, figure, goal.floor, goal.aim, _verdict(goal, figure))


def _verdict(goal: Goal, figure: float) -> str:
    sign = 1 if goal.more_is_better else -1
    if sign * figure >= sign * goal.aim:
        return "aim met"
    return "floor met" if sign * figure >= sign * goal.floor else "missed"


def _at(figures: Mapping[str, Any], path: str) -> float | None:
    found: Any = figures
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is None else float(found)
