"""How the matching benchmark makes figures of what it measured."""

from array import array
from typing import Any

import pytest

from bench.asking import Asking, differing, exponent, in_microseconds, times_faster, together
from bench.matching_goals import GOALS, outcomes


def test_figures_are_medians_of_runs() -> None:
    runs = [[1e-6, 3e-6], [2e-6, 4e-6], [9e-6, 9e-6]]
    assert in_microseconds(runs) == {"mean_us": 3.0, "p50_us": 2.0, "p99_us": 4.0}


def test_a_peer_is_compared_over_the_articles_that_it_was_asked_about() -> None:
    assert times_faster([[1.0, 9.0], [2.0, 9.0], [3.0, 9.0]], [[20.0], [30.0], [40.0]]) == 15.0


def test_an_exponent_is_the_slope_between_logarithms() -> None:
    assert exponent({10: 3.0, 1_000: 30.0, 100_000: 300.0}) == 0.5
    assert exponent({10: 3.0}) is None


def test_articles_of_which_other_ids_were_found_are_counted() -> None:
    ours = [array("q", (1, 2)), array("q", (3,)), array("q")]
    assert differing(ours, [array("q", (1, 2)), array("q", (4,))]) == 1


def test_runs_of_several_processes_are_runs_of_one() -> None:
    one, other = Asking([[1.0]], [[2.0]], [array("q", (1,))]), Asking([[3.0]], [[4.0]], [array("q", (1,))])
    assert together([one, other]) == Asking([[1.0], [3.0]], [[2.0], [4.0]], [array("q", (1,))])


@pytest.mark.parametrize(
    ("p99_us", "cold_start", "verdicts"),
    [
        (250.0, 5.0, ["aim met", "aim met"]),
        (1_500.0, 20.0, ["floor met", "floor met"]),
        (1_501.0, 20.1, ["missed", "missed"]),
    ],
)
def test_goals_that_less_is_better_for(p99_us: float, cold_start: float, verdicts: list[str]) -> None:
    figures: dict[str, Any] = {
        "clarion": {"finding": {"p99_us": p99_us}},
        "store": {"cold_start_s": cold_start},
    }
    found = list(outcomes(figures))
    assert [one.verdict for one in found] == verdicts
    assert found[0].figure == p99_us / 1_000


@pytest.mark.parametrize(("times", "verdict"), [(2_500, "aim met"), (300, "floor met"), (299, "missed")])
def test_goals_that_more_is_better_for(times: float, verdict: str) -> None:
    (outcome,) = outcomes({"peers": {"tsquery_scan": {"times": times}}})
    assert outcome.verdict == verdict


def test_no_goal_is_reached_with_the_floor_alone() -> None:
    for goal in GOALS:
        assert (goal.aim > goal.floor) == goal.more_is_better
