"""Topics become queries without being read as such."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.query import MAX_LEAVES, QueryError, canonical, matches, parse, tokenize, topic_query


@pytest.mark.parametrize(
    ("topic", "query"),
    [
        ("machine learning", 'category:"machine learning" OR learning machine'),
        ("AI", "ai OR category:ai"),
        ("C++", "c++ OR category:c++"),
        ("AND", "and OR category:and"),
        ("-x OR y", 'category:"-x or y" OR or x y'),
        ("a-b (c)", '"a b" c OR category:"a-b (c)"'),
        ("title:x", '"title x" OR category:title:x'),
        ('12" pizza', '12 pizza OR category:"12\\" pizza"'),
        ("kube*", "category:kube* OR kube"),
        ("#rust", "category:#rust OR rust"),
        ("中国", "category:中国 OR 中国"),
        ("R & D", 'category:"r & d" OR d r'),
    ],
)
def test_a_topic_is_all_its_words_or_the_category_of_that_name(topic: str, query: str) -> None:
    assert topic_query(topic) == query
    assert canonical(query) == query


def test_a_topic_matches_its_words_in_any_order_and_its_category() -> None:
    query = parse(topic_query("Machine Learning"))
    assert matches(query, "Learning about a machine")
    assert matches(query, "Unrelated", categories=["machine  LEARNING"])
    assert not matches(query, "Learning about people", categories=["learning", "machine"])


@pytest.mark.parametrize("topic", ["", " ", "!!!", "+ - *", "x" * 1_001, "x" * 501, "a " * MAX_LEAVES])
def test_a_topic_that_cannot_be_a_query_is_refused(topic: str) -> None:
    with pytest.raises(QueryError):
        topic_query(topic)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.text(st.sampled_from(' ab"\\()-+*:.OR\n“中'), max_size=40))
def test_every_topic_with_a_word_is_a_canonical_query_that_finds_it(topic: str) -> None:
    try:
        query = topic_query(topic)
    except QueryError:
        assert not any(map(tokenize, topic.split())) or len(topic) > 20
    else:
        assert canonical(query) == query
        assert matches(parse(query), topic)
        assert matches(parse(query), "", categories=[topic])
