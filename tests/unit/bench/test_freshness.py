"""Loading what is stored, and seeing what changes there."""

from array import array

import pytest

from bench.freshness import measure
from bench.query_population import Asked, Population
from core.query import compiled, parse


@pytest.mark.postgresql
def test_every_subscription_is_loaded_and_every_change_seen(
    population: Population, postgresql_url: str
) -> None:
    matching_before = Asked("fres*", None, None, compiled(parse("fres*")))
    several = Population(
        [*population.queries, matching_before],
        [*population.ids, array("q", (population.size + 1,))],
        population.frequency,
    )
    # It ends the process when a subscription is missing, or a change is never seen.
    figures = measure(postgresql_url, several, commits=3, runs=2, seed=1)
    assert 0 <= figures["visible"]["p50_ms"] <= figures["visible"]["max_ms"]
    assert 0 <= figures["gone"]["p50_ms"] <= figures["gone"]["max_ms"]
    assert figures["cold_start_s"] > 0
