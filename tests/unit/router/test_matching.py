"""What the matcher promises, statement by statement."""

from typing import Any

import pytest

from core.query import matches, parse, topic_query
from router.matching import QueryError
from tests.unit.router.conftest import NewMatcher


def matched(new_matcher: NewMatcher, query: str, title: str = "", summary: str = "", **article: Any) -> bool:
    """Ask the index and the verifier, which must agree."""
    matcher = new_matcher()
    matcher.add(1, query)
    found = list(matcher.match(title, summary, **article))
    assert found == [1] * matches(parse(query), title, summary, **article)
    return bool(found)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("apple banana", "Banana and Apple"),
        ("apple OR banana", "Banana"),
        ("apple -pie", "Apple juice"),
        ('"new york"', "In New York today"),
        ("rabbit-hole", "Down the rabbit hole"),
        ('"rabbit hole"', "Down the rabbit-hole"),
        ("(a OR b) (c OR d)", "b d"),
        ("kube*", "Kubernetes 1.31"),
        ("kube*", "kube"),
        ("AI", "AI-powered search"),
        ("ai", "What is #AI?"),
        ("OpenAI", "OpenAI's plan"),
        ("OpenAI's", "OpenAI’s plan"),
        ("don't", "We don’t know"),
        ("node.js", "Node.js released"),
        ("U.S.", "The U.S. economy"),
        ("C++", "C++17 compilers"),
        ("C#", "Is C# dead?"),
        (".NET", "What .NET does"),
        ("net", "ASP.NET Core"),
        ("Disney", "Disney+ raises prices"),
        ("Disney+", "Disney+ raises prices"),
        ("STRASSE", "Straße"),
        ("café", "CAFE\u0301"),
        ("हिन्दी", "हिन्दी समाचार"),
        ("İstanbul", "İSTANBUL"),
        ("東京", "新東京駅"),
        ("ไทย", "ประเทศไทยวันนี้"),
        ("東*", "東京"),
        ('"AND"', "this and that"),
    ],
)
def test_matches(new_matcher: NewMatcher, query: str, title: str) -> None:
    assert matched(new_matcher, query, title)
    assert matched(new_matcher, query, "", title)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("apple banana", "Apple"),
        ("apple", "Pineapple apples"),
        ("apple -pie", "Apple pie"),
        ('"new york"', "York, new"),
        ('"new york"', "new old york"),
        ("kube*", "Minikube"),
        ("C", "C++ and C#"),
        ("C++", "C and C#"),
        ("net", "Why .NET"),
        (".NET", "ASP.NET"),
        ("A+", "A plus"),
        ("ai", "Said"),
        ("हिन", "हिन्दी"),
        ("東京", "京東"),
        ("cafe", "café"),
    ],
)
def test_does_not_match(new_matcher: NewMatcher, query: str, title: str) -> None:
    assert not matched(new_matcher, query, title)
    assert not matched(new_matcher, query, "", title)


def test_a_phrase_does_not_reach_from_the_title_into_the_summary(new_matcher: NewMatcher) -> None:
    assert not matched(new_matcher, '"new york"', "Something new", "York is old")
    assert matched(new_matcher, "new york", "Something new", "York is old")


def test_title_looks_at_the_title_only(new_matcher: NewMatcher) -> None:
    for query in (
        "title:apple",
        'title:"big apple"',
        "title:app*",
        "title:(apple OR kiwi)",
        "title:(apple -x)",
    ):
        assert matched(new_matcher, query, "The big apple", "x")
        assert not matched(new_matcher, query, "x", "The big apple")
    assert matched(new_matcher, "apple -title:x", "apple", "x")


@pytest.mark.parametrize("source", ["BBC-News", ["bbc-news"], ("42", "BBC-news"), {"bbc-news"}])
def test_a_source_is_compared_by_id_or_name(new_matcher: NewMatcher, source: Any) -> None:
    matcher = new_matcher()
    matcher.add(1, "source:bbc-NEWS")
    matcher.add(2, "x", sources=["Bbc-news", "other"])
    matcher.add(3, "x", sources="cnn")
    assert sorted(matcher.match("x", source=source)) == [1, 2]


def test_a_name_with_spaces_is_quoted(new_matcher: NewMatcher) -> None:
    assert matched(new_matcher, 'source:"bbc news"', source=("7", "BBC  News"))
    assert not matched(new_matcher, "source:bbc", source=("7", "BBC News"))
    assert not matched(new_matcher, "source:bbc")


def test_a_category_is_compared_as_a_whole(new_matcher: NewMatcher) -> None:
    assert matched(new_matcher, 'category:"machine learning"', categories=["World", "Machine Learning"])
    assert matched(new_matcher, "category:C++", categories="c++")
    assert not matched(new_matcher, "category:machine", categories=["Machine Learning"])


@pytest.mark.parametrize(
    ("query", "language", "expected"),
    [
        ("lang:en", "en", True),
        ("lang:en", "en-US", True),
        ("lang:EN", "en_gb", True),
        ("lang:en-us", "EN-us", True),
        ("lang:en-us", "en", False),
        ("lang:en", "eng", False),
        ("lang:en", None, False),
    ],
)
def test_a_language_covers_its_varieties(
    new_matcher: NewMatcher, query: str, language: str | None, expected: bool
) -> None:
    assert matched(new_matcher, query, language=language) is expected
    matcher = new_matcher()
    matcher.add(1, "x", languages=[query.removeprefix("lang:"), "fr"])
    assert bool(matcher.match("x", language=language)) is expected


def test_no_filter_and_an_empty_one_are_no_limit(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.add(1, "x", sources=None, languages=None)
    matcher.add(2, "x", sources=[], languages=())
    matcher.add(3, "x", sources=["bbc"])
    matcher.add(4, "x", languages=["de"])
    assert sorted(matcher.match("x")) == [1, 2]
    assert sorted(matcher.match("x", source="bbc", language="de-AT")) == [1, 2, 3, 4]


def test_adding_and_discarding_count_at_once(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.add(7, "apple")
    matcher.add(8, "APPLE")
    assert sorted(matcher.match("Apple")) == [7, 8]
    matcher.discard(7)
    matcher.discard(7)
    matcher.discard(99)
    assert list(matcher.match("Apple")) == [8]
    assert len(matcher) == 1


def test_adding_an_id_again_replaces_it(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.add(1, "apple")
    matcher.add(1, "banana", sources=["bbc"])
    assert len(matcher) == 1
    assert not matcher.match("apple banana")
    assert list(matcher.match("banana", source="bbc")) == [1]
    matcher.add(1, "Banana", sources=["BBC"])
    assert list(matcher.match("banana", source="bbc")) == [1]


def test_a_bad_query_changes_nothing(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.add(1, "apple")
    with pytest.raises(QueryError) as caught:
        matcher.add(1, 'apple "pie')
    assert caught.value.position == 6
    with pytest.raises(QueryError):
        matcher.add(2, "-apple")
    assert list(matcher.match("apple")) == [1]
    assert len(matcher) == 1


def test_an_id_is_answered_once_however_often_it_matches(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.add(1, "apple OR banana OR category:fruit OR app*")
    assert list(matcher.match("apple banana", categories=["fruit"])) == [1]


def test_a_topic_is_added_as_its_query(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    matcher.add(1, topic_query("C++ OR Rust"))
    assert list(matcher.match("Rust or C++?")) == [1]
    assert list(matcher.match("x", categories=["c++ or rust"])) == [1]
    assert not matcher.match("Rust")


def test_aliases_find_each_other_only_when_given(new_matcher: NewMatcher) -> None:
    matcher = new_matcher(aliases={"k8s": "kubernetes"})
    matcher.add(1, "k8s")
    matcher.add(2, '"kubernetes cluster"')
    matcher.add(3, "cluster -kubernetes")
    assert sorted(matcher.match("A K8s cluster")) == [1, 2]
    assert list(matcher.match("Kubernetes")) == [1]
    assert list(matcher.match("A cluster")) == [3]
    plain = new_matcher()
    plain.add(1, "k8s")
    assert not plain.match("Kubernetes")


def test_many_prefixes_of_many_lengths_are_found(new_matcher: NewMatcher) -> None:
    matcher = new_matcher()
    for length in range(1, 200):
        matcher.add(length, "a" * length + "*")
    assert sorted(matcher.match("a" * 150)) == list(range(1, 151))
    for length in range(1, 200, 2):
        matcher.discard(length)
    assert sorted(matcher.match("a" * 150)) == list(range(2, 151, 2))
