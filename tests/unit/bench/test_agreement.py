"""All who are asked in the matching benchmark are asked the same, so their times can be compared."""

from array import array
from collections import Counter
from collections.abc import Sequence

import pytest

from bench import oracle_agreement
from bench.news_articles import Article
from bench.perq_peer import clauses, compared
from bench.query_population import Asked, Population
from bench.tsquery_peer import WAYS, tsquery_peer
from core.query import compiled, parse
from router.matching import Matcher

ARTICLE = Article(
    "It's Disney+ in New York", "Rabbit-hole: C++ and kubectl, a\\b", ("bbc", "BBC 'One'"), "en-GB", ()
)
MATCHING = (
    "disney",
    "disney+",
    "title:new",
    '"new york"',
    'title:"new york"',
    '"it s"',
    "rabbit-hole",
    "c++",
    "kube*",
    "title:york*",
    "hole-c*",
    "source:\"bbc 'one'\"",
    "lang:en-gb york",
    "york -sour*",
    "york -(york hole -c++)",
    "paris OR york",
)
OTHERS = (
    "york-rabbit",
    '"york rabbit"',
    "title:rabbit",
    'title:"york rabbit"',
    "c",
    "sour*",
    "lang*",
    "source:one",
    "kube",
    "york -hole",
    "hole-d*",
    "paris OR rome",
)


def _population(queries: Sequence[str]) -> Population:
    asked = [Asked(query, None, None, compiled(parse(query))) for query in queries]
    ids = [array("q", (number,)) for number in range(1, len(asked) + 1)]
    return Population(asked, ids, Counter({"york": 2}))


def _found(population: Population, articles: Sequence[Article]) -> "list[array[int]]":
    matcher = Matcher()
    for asked, ids in zip(population.queries, population.ids, strict=True):
        matcher.load(asked.code, ids)
    return [
        array(
            "q",
            sorted(
                matcher.match(
                    one.title,
                    one.summary,
                    source=one.source,
                    language=one.language,
                    categories=one.categories,
                )
            ),
        )
        for one in articles
    ]


@pytest.mark.postgresql
def test_postgresql_finds_what_the_matcher_finds_of_all_that_can_be_asked(postgresql_url: str) -> None:
    several = _population(MATCHING + OTHERS)
    expected = array("q", range(1, len(MATCHING) + 1))
    assert _found(several, [ARTICLE]) == [expected]
    with tsquery_peer(postgresql_url, several) as peer:
        for way in WAYS:
            assert peer.ask(way, [ARTICLE], runs=1).ids == [expected], way.name


@pytest.mark.postgresql
def test_postgresql_finds_what_the_matcher_finds_in_a_population(
    population: Population, newer: list[Article], postgresql_url: str
) -> None:
    expected = _found(population, newer)
    assert sum(map(len, expected)) > len(newer)
    with tsquery_peer(postgresql_url, population) as peer:
        for way in WAYS:
            asking = peer.ask(way, newer, runs=2)
            assert asking.ids == expected, way.name
            assert [len(run) for run in (*asking.finding, *asking.listing)] == [len(newer)] * 4


def test_the_oracle_finds_what_the_matcher_finds(population: Population, newer: list[Article]) -> None:
    result = oracle_agreement.compare(population, newer, _found(population, newer), seed=1)
    assert result["differing"] == 0
    assert result["matching"] > len(newer)


def test_what_the_oracle_judges_otherwise_is_counted(population: Population, newer: list[Article]) -> None:
    nothing: list[array[int]] = [array("q") for _ in newer]
    everything = [array("q", range(1, population.size + 1)) for _ in newer]
    for found in (nothing, everything):
        assert oracle_agreement.compare(population, newer, found, seed=1)["differing"] > 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("apple pie", {("apple",), ("pie",)}),
        ("apple OR pie", {("apple", "pie")}),
        ('title:"apple pie" -tart', {("apple",), ("pie",)}),
        ("apple OR (pie tart)", {("apple", "pie"), ("apple", "tart")}),
        ("apple kube*", {("apple",)}),
        ("kube*", set()),
        ("apple OR kube*", set()),
        ("apple source:bbc", {("apple",), (":source:bbc",)}),
    ],
)
def test_clauses_hold_for_all_that_a_query_matches(query: str, expected: set[tuple[str, ...]]) -> None:
    assert {tuple(sorted(clause)) for clause in clauses(parse(query))} == expected


def test_perq_may_find_more_but_must_miss_nothing_that_it_was_asked() -> None:
    ours, found = [array("q", (1, 2)), array("q", (2,))], [array("q", (1, 3)), array("q", (3,))]
    assert compared(ours, found, {2}) == {"articles_differing": 0, "times_too_many": 3.0}
    assert compared(ours, found, set()) == {"articles_differing": 2, "times_too_many": 1.0}
