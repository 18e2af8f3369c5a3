"""Other names for the same thing."""

import pytest
from hypothesis import given, settings

from core.query import Aliases, QueryError, compiled, parse
from tests.unit.router.matching_oracle import Tree, trees

ALIASES = Aliases({"k8s": "Kubernetes", "kube": "kubernetes", "artificial intelligence": "AI"})


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("k8s", "k8s OR kube OR kubernetes"),
        ("Kubernetes", "k8s OR kube OR kubernetes"),
        ("rust", "rust"),
        ('"K8s cluster"', '"k8s cluster" OR "kube cluster" OR "kubernetes cluster"'),
        ('"the AI act"', '"the ai act" OR "the artificial intelligence act"'),
        ("title:ai", 'title:ai OR title:"artificial intelligence"'),
        ("rust -k8s", "rust -(k8s OR kube OR kubernetes)"),
        ("artificial intelligence", "artificial intelligence"),
        ("k8*", "k8*"),
        ("source:k8s", "source:k8s"),
    ],
)
def test_an_alias_stands_for_its_meaning_and_the_other_way_round(query: str, meaning: str) -> None:
    assert ALIASES.expand(parse(query)) == parse(meaning)


def test_no_aliases_change_nothing() -> None:
    query = parse('k8s "a b" -c')
    assert Aliases({}).expand(query) is query


def test_a_phrase_of_many_aliases_stays_of_bearable_size() -> None:
    expanded = Aliases({"a": "b"}).expand(parse(f'"{"a " * 100}"'))
    assert len(str(expanded)) < 20_000
    assert f'"{" ".join("a" * 100)}"' in str(expanded)


@settings(deadline=None)
@given(trees)
def test_a_compiled_query_is_expanded_as_its_tree_is(tree: Tree) -> None:
    query = parse(tree.render())
    for aliases in (ALIASES, Aliases({"a b": "c", "d": "e"})):
        assert aliases.expand_compiled(compiled(query)) == compiled(aliases.expand(query))


@pytest.mark.parametrize("size", [1, 31, 32, 33, 127, 128, 300])
@pytest.mark.parametrize("shape", ["{0}", '"k {0} {0} k"', "{0} OR b -c", "title:{0}*", 'source:{0} "é {0}"'])
def test_words_of_any_length_are_found_in_a_compiled_query(size: int, shape: str) -> None:
    word = "k" * size
    query, aliases = parse(shape.format(word)), Aliases({word: "something else"})
    assert aliases.expand_compiled(compiled(query)) == compiled(aliases.expand(query))


def test_how_many_names_mean_the_same() -> None:
    assert [ALIASES.alike(text) for text in ("K8S", "kubernetes", "ai", "rust")] == [3, 3, 2, 1]


def test_an_alias_without_a_word_is_refused() -> None:
    with pytest.raises(QueryError):
        Aliases({"!": "x"})
