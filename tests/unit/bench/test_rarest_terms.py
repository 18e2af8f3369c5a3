"""By which terms the peer with a GIN index finds a query."""

import pytest

from bench.tsquery import RarestTerms
from core.query import Document, parse

RAREST = RarestTerms({"apple": 5, "pie": 3, "tart": 1, "kubectl": 4, "kubelet": 4}, (4,))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("apple pie", ["pie"]),
        ('"apple pie" OR tart', ["pie", "tart"]),
        ("apple pie -tart", ["pie"]),
        ("apple (pie OR tart)", ["pie", "tart"]),
        ("apple (pie OR tart OR kubectl)", ["apple"]),
        ("kube*", ["kube*"]),
        ("kube* apple", ["apple"]),
        ("apple source:bbc", ["apple"]),
        ("apple unheard", ["unheard"]),
    ],
)
def test_fewest_articles_have_them(query: str, expected: list[str]) -> None:
    assert RAREST.of_query(parse(query)) == expected


def test_a_prefix_of_a_length_that_articles_do_not_give_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        RAREST.of_query(parse("kub*"))
    assert RAREST.of_query(parse("apple-kub*")) == ["apple"]


def test_an_article_gives_its_words_their_starts_and_its_names() -> None:
    terms = RAREST.of_article(Document("Kubelet", "pie", "BBC", "en-GB", ("food",)))
    assert sorted(terms) == [
        ":category:food",
        ":lang:en",
        ":lang:en-gb",
        ":source:bbc",
        "kube*",
        "kubelet",
        "pie",
    ]
