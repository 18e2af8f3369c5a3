"""The matcher against the oracle, and the laws that its answers obey."""

import unicodedata
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from core.query import Document, QueryError, canonical, parse
from router.matching import Matcher
from tests.unit.router.conftest import NewMatcher
from tests.unit.router.matching_oracle import (
    Article,
    OracleMatcher,
    Subscription,
    Tree,
    articles,
    subscriptions,
    trees,
)

_subscription_lists = st.lists(subscriptions, max_size=12)
_article_lists = st.lists(articles, min_size=1, max_size=4)


def add(matcher: Matcher, number: int, subscription: Subscription) -> None:
    """Add what the oracle understands to a matcher."""
    query = subscription.tree.render()
    matcher.add(number, query, sources=subscription.sources, languages=subscription.languages)


def answer(matcher: Matcher, article: Article) -> list[int]:
    """Ask a matcher what the oracle would be asked."""
    found = matcher.match(
        article.title,
        article.summary,
        source=article.source,
        language=article.language,
        categories=article.categories,
    )
    return sorted(found)


def found(new_matcher: NewMatcher, queries: Sequence[str], article: Article) -> set[int]:
    """Return which of the queries, by number, a fresh matcher finds."""
    matcher = new_matcher()
    for number, query in enumerate(queries):
        matcher.add(number, query)
    return set(answer(matcher, article))


@settings(deadline=None, max_examples=250)
@given(_subscription_lists, _article_lists)
def test_the_matcher_equals_the_oracle(
    new_matcher: NewMatcher, several: list[Subscription], asked: list[Article]
) -> None:
    matcher, oracle = new_matcher(), OracleMatcher()
    for number, subscription in enumerate(several):
        add(matcher, number, subscription)
        oracle.add(number, subscription)
    assert len(matcher) == len(oracle)
    for article in asked:
        assert answer(matcher, article) == oracle.match(article)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 7), st.none() | subscriptions), max_size=25), _article_lists)
def test_adding_and_discarding_leave_what_a_fresh_matcher_has(
    new_matcher: NewMatcher, steps: list[tuple[int, Subscription | None]], asked: list[Article]
) -> None:
    matcher, kept = new_matcher(), dict[int, Subscription]()
    for number, subscription in steps:
        if subscription is None:
            matcher.discard(number)
            kept.pop(number, None)
        else:
            add(matcher, number, subscription)
            kept[number] = subscription
    fresh = new_matcher()
    for number, subscription in kept.items():
        add(fresh, number, subscription)
    assert len(matcher) == len(fresh)
    for article in asked:
        assert answer(matcher, article) == answer(fresh, article)


@settings(deadline=None, max_examples=150)
@given(trees, trees, articles)
def test_operators_are_those_of_sets(
    new_matcher: NewMatcher, left: Tree, right: Tree, article: Article
) -> None:
    one, other = left.render(), right.render()
    hit = found(
        new_matcher,
        [one, other, f"{one} {other}", f"{one} OR {other}", f"{one} -{other}", f"{one} OR {one}"],
        article,
    )
    assert (2 in hit) == (0 in hit and 1 in hit)
    assert (3 in hit) == (0 in hit or 1 in hit)
    assert (4 in hit) == (0 in hit and 1 not in hit)
    assert (5 in hit) == (0 in hit)


@settings(deadline=None, max_examples=150)
@given(trees, articles)
def test_case_encoding_and_form_do_not_matter(new_matcher: NewMatcher, tree: Tree, article: Article) -> None:
    query = tree.render()
    decomposed = unicodedata.normalize("NFD", query)
    expected = found(new_matcher, [query], article)
    assert found(new_matcher, [decomposed, canonical(query)], article) == (expected and {0, 1})
    shouted = Article(
        unicodedata.normalize("NFD", article.title.swapcase()),
        unicodedata.normalize("NFKC", article.summary.upper()),
        tuple(name.upper() for name in article.source),
        article.language and article.language.upper(),
        tuple(name.title() for name in article.categories),
    )
    assert found(new_matcher, [query], shouted) == expected


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_matched_against_any_query(new_matcher: NewMatcher, query: str, text: str) -> None:
    matcher = new_matcher()
    try:
        matcher.add(1, query)
    except QueryError:
        assert len(matcher) == 0
    else:
        agreed = parse(query).matches(Document(text, query))
        assert bool(matcher.match(text, query)) == agreed
