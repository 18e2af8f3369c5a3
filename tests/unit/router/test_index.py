"""The index beneath the matcher: loading in bulk, forgetting all, and learning which words are rare."""

import sys
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.query import Document, QueryError, compiled, parse
from router.matching import CompiledIndex, Index, Matches
from router.plain_index import PlainIndex
from tests.unit.router.conftest import NewMatcher, if_built
from tests.unit.router.matching_oracle import Article, Tree, articles, trees
from tests.unit.router.test_matching_properties import answer

NewIndex = Callable[[], Index]

LARGEST, SMALLEST = 2**63 - 1, -(2**63)


def code(query: str) -> bytes:
    """Compile a query."""
    return compiled(parse(query))


def ids(index: Index, title: str) -> list[int]:
    """Ask an index about a title."""
    return sorted(Matches(index.match(Document(title))))


def test_loading_many_ids_is_adding_each(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.add(1, "apple")
    matcher.add(2, "pear")
    matcher.load(code("apple"), [2, 3, LARGEST, SMALLEST, 3])
    assert sorted(matcher.match("apple pear")) == [SMALLEST, 1, 2, 3, LARGEST]
    assert (len(matcher), matcher.queries) == (5, 1)


def test_loading_nobody_leaves_no_query(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.load(code("apple pie"), [])
    assert (len(matcher), matcher.queries) == (0, 0)


def test_an_id_beyond_64_bits_is_refused(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    with pytest.raises(OverflowError):
        matcher.add(LARGEST + 1, "apple")
    assert len(matcher) == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\x01",
        b"\x63" + code("apple")[1:],
        code("apple")[:-1],
        code("apple") + b"\x00",
        b"\x01\x01\x00",
        b"\x01\x02\x00",
        b"\x01\x04\x00\x00",
        b"\x01\x05\x07\x01a",
        b"\x01\x03" + code("apple")[1:],
        b"\x01" + b"\x03" * 5_000 + code("apple")[1:],
        b"\x01\x04\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01a",
        b"\x01\x01\x02" + code("apple")[1:] + b"\x09",
    ],
    ids=repr,
)
def test_bytes_that_are_no_query_are_refused_and_change_nothing(new_matcher: NewMatcher, bad: bytes) -> None:
    matcher = new_matcher()
    matcher.add(1, "apple")
    with pytest.raises(ValueError):
        matcher.load(bad, [1, 2])
    assert (list(matcher.match("apple")), len(matcher), matcher.queries) == ([1], 1, 1)


@given(st.lists(trees, min_size=1, max_size=3), st.data())
def test_damaged_bytes_do_no_harm(new_matcher: NewMatcher, whole: list[Tree], data: st.DataObject) -> None:
    matcher = new_matcher()
    for number, tree in enumerate(whole):
        damaged = bytearray(code(tree.render()))
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        try:
            matcher.load(bytes(damaged), [number])
        except ValueError:
            continue
        matcher.discard(number)
    assert (len(matcher), matcher.queries, list(matcher.match("ai c kube"))) == (0, 0, [])


@if_built
@given(st.lists(trees, max_size=8), st.lists(articles, min_size=1, max_size=3))
def test_both_indexes_answer_the_same_after_all_was_replaced(
    several: list[Tree], asked: list[Article]
) -> None:
    plain, quick = PlainIndex(), CompiledIndex()
    for index in (plain, quick):
        for turn in (0, 1):
            for number, tree in enumerate(several[turn:]):
                index.load(code(tree.render()), array("q", (number, number + 4)))
    for article in asked:
        document = Document(
            *(article.title, article.summary, article.source, article.language, article.categories)
        )
        assert sorted(Matches(plain.match(document))) == sorted(Matches(quick.match(document)))
    assert (len(plain), plain.queries) == (len(quick), quick.queries)


@if_built
def test_what_is_discarded_leaves_no_trace() -> None:
    index = CompiledIndex()
    sizes = []
    for _ in range(3):
        for number in range(2_000):
            query = f"word{number} (kube{number % 7}* OR title:x{number % 5}) -source:s{number % 3}"
            index.load(code(query), array("q", range(3 * number, 3 * number + 3)))
        assert len(index) == 6_000
        assert ids(index, "word7 kube0123") == [21, 22, 23]
        for subscription in range(6_000):
            index.discard(subscription)
        assert (len(index), index.queries, ids(index, "word7 kube0123")) == (0, 0, [])
        sizes.append(sys.getsizeof(index))
    assert sizes[0] == sizes[1] == sizes[2]


def test_answers_stay_the_same_while_rare_words_are_learned(new_index: NewIndex) -> None:
    # What queries ask for often is in no article, and what they ask for once is in all of them.
    index = new_index()
    for number in range(300):
        index.load(code(f"seldom{number % 3} often{number} -never"), array("q", (number,)))
    common = " ".join(f"often{number}" for number in range(300))
    for _ in range(20):
        assert ids(index, common) == []
        assert ids(index, f"{common} seldom1") == list(range(1, 300, 3))
        assert ids(index, f"{common} seldom1 never") == []


@if_built
def test_answers_stay_the_same_when_old_articles_are_forgotten() -> None:
    index = CompiledIndex()
    index.load(code("apple pie"), array("q", (1,)))
    document = Document("apple pie")
    assert {index.match(document) for _ in range(70_000)} == {array("q", (1,)).tobytes()}


def test_matches_are_a_sequence_of_numbers() -> None:
    found = Matches(array("q", (3, 1, 2)).tobytes())
    assert (len(found), list(found), found[0], found[-1], found[1:]) == (3, [3, 1, 2], 3, 2, [1, 2])
    assert found == [3, 1, 2]
    assert found == (3, 1, 2)
    assert found != [3, 1]
    assert found != "312"
    assert 2 in found
    assert not Matches()
    with pytest.raises(IndexError):
        found[3]


@given(trees, articles)
def test_an_added_query_is_a_loaded_one(new_matcher: NewMatcher, tree: Tree, article: Article) -> None:
    added, loaded = new_matcher(), new_matcher()
    added.add(1, tree.render())
    loaded.load(code(tree.render()), [1])
    assert answer(added, article) == answer(loaded, article)
    with pytest.raises(QueryError):
        loaded.add(1, "-")
