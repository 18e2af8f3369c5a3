"""Other names for the same thing."""

import pytest

from core.query import Aliases, QueryError, parse

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


def test_an_alias_without_a_word_is_refused() -> None:
    with pytest.raises(QueryError):
        Aliases({"!": "x"})
