"""A small population, and articles that it is asked about."""

import pytest

from bench.news_articles import Article, articles, split
from bench.query_population import Population, Populations

SEED = 7
SUBSCRIPTIONS = 3_000


@pytest.fixture(scope="session")
def older_and_newer() -> tuple[list[Article], list[Article]]:
    """Articles made by chance."""
    return split(articles(None, SEED)[:900], 40, SEED)


@pytest.fixture(scope="session")
def population(older_and_newer: tuple[list[Article], list[Article]]) -> Population:
    """Some thousand subscriptions."""
    return Populations(older_and_newer[0], SEED).make(SUBSCRIPTIONS)


@pytest.fixture(scope="session")
def newer(older_and_newer: tuple[list[Article], list[Article]]) -> list[Article]:
    """Articles from which no query was learnt."""
    return older_and_newer[1]
