"""The subscriptions that the matching benchmark makes."""

from pathlib import Path

from bench.news_articles import Article
from bench.population_file import AT_ONCE, chunks, records, write
from bench.query_population import BOOLEAN_RANKS, SINGLE_SHARE, Population, Populations
from core.query import Phrase, compiled, limited, parse, phrases
from tests.unit.bench.conftest import SEED, SUBSCRIPTIONS


def test_every_id_asks_one_query(population: Population) -> None:
    ids = sorted(one for of_query in population.ids for one in of_query)
    assert ids == list(range(1, SUBSCRIPTIONS + 1))
    asked = population.by_subscription()
    assert all(asked[one - 1] == number for number, ids in enumerate(population.ids) for one in ids)


def test_the_bytes_are_those_of_the_text_with_its_filters(population: Population) -> None:
    for asked in population.queries:
        assert asked.code == compiled(limited(parse(asked.query), asked.sources, asked.languages))


def test_no_query_is_there_twice(population: Population) -> None:
    assert len({asked.code for asked in population.queries}) == len(population.queries)


def test_most_are_single_terms_and_the_others_have_two_to_five_leaves(population: Population) -> None:
    singles = 0
    for asked, ids in zip(population.queries, population.ids, strict=True):
        node = parse(asked.query)
        if isinstance(node, Phrase):
            singles += len(ids)
        else:
            assert 2 <= len(list(phrases(node))) <= 5
    assert singles == round(SUBSCRIPTIONS * SINGLE_SHARE)
    assert BOOLEAN_RANKS > SUBSCRIPTIONS


def test_few_queries_are_asked_by_many(population: Population) -> None:
    counts = sorted(map(len, population.ids), reverse=True)
    assert counts[0] == len(population.ids[population.hottest()])
    assert counts[0] > 10 * counts[len(counts) // 10]


def test_the_seed_decides_all(older_and_newer: tuple[list[Article], list[Article]]) -> None:
    older, _ = older_and_newer
    one, same, other = (Populations(older, seed).make(200) for seed in (SEED, SEED, SEED + 1))
    assert one == same
    assert one.queries != other.queries


def test_a_file_holds_a_population(population: Population, tmp_path: Path) -> None:
    file = tmp_path / "population"
    write(population, file)
    assert list(records(file)) == list(zip(population.queries, population.ids, strict=True))
    assert [len(chunk) for chunk in chunks(file)] == [min(AT_ONCE, len(population.queries))]
