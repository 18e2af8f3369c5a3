"""Why an article matches."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.query import (
    Aliases,
    Document,
    Phrase,
    Stretch,
    Term,
    limited,
    marked,
    matches,
    parse,
    terms,
    tokenize,
)
from tests.unit.router.matching_oracle import Article, Subscription, articles, subscriptions

NO_ALIASES = Aliases({})
ALIASES = Aliases({"k8s": "Kubernetes", "artificial intelligence": "AI", "東京": "tokyo"})


def why(query: str, title: str, summary: str = "", aliases: Aliases = NO_ALIASES) -> tuple[list[str], str]:
    """Return the terms that hold, and the text with the marks as brackets."""
    document = Document(title, summary, ["src_1", "The Register"], "en-GB", ["AI", "Cloud"])
    found = terms(parse(query), document, aliases)
    assert found is not None
    shown = " | ".join(map(bracketed, marked(title, summary, found)))
    return [term.written for term in found], shown.removesuffix(" | ")


def bracketed(stretches: list[Stretch]) -> str:
    return "".join(f"[{stretch.text}]" if stretch.match else stretch.text for stretch in stretches)


@pytest.mark.parametrize(
    ("query", "title", "summary", "held", "shown"),
    [
        ("Rust", "Rust in the kernel", "more rust", ["rust"], "[Rust] in the kernel | more [rust]"),
        ("a b", "b A, ab", "", ["a", "b"], "[b] [A], ab"),
        ("apple OR pear", "Apple juice", "", ["apple"], "[Apple] juice"),
        ("apple OR pear", "Pear, apple", "", ["apple", "pear"], "[Pear], [apple]"),
        ("apple OR (pear -juice)", "Apple, pear juice", "", ["apple"], "[Apple], pear juice"),
        ("rust -game", "Rust", "no gaming", ["rust"], "[Rust] | no gaming"),
        ("-(pie -apple) cake", "apple pie, cake", "", ["cake"], "apple pie, [cake]"),
        ('"new york"', "New – York", "new", ['"new york"'], "[New – York] | new"),
        ('"new york"', "New, york new", "york", ['"new york"'], "[New, york] new | york"),
        ("rabbit-hole", "The Rabbit hole", "", ['"rabbit hole"'], "The [Rabbit hole]"),
        ("AI", "AI-powered", "", ["ai"], "[AI]-powered"),
        (
            "kube*",
            "Kubernetes, minikube",
            "kube kubectl",
            ["kube*"],
            "[Kubernetes], minikube | [kube] [kubectl]",
        ),
        ("ai-po*", "AI powered, AI poor, AI", "", ["ai-po*"], "[AI powered], [AI poor], AI"),
        ("title:rust", "Rust", "rust", ["title:rust"], "[Rust] | rust"),
        ("title:rust driver", "Rust", "rust driver", ["driver", "title:rust"], "[Rust] | rust [driver]"),
        ('"a b" "b c"', "a b c b", "", ['"a b"', '"b c"'], "[a b c] b"),
        ("C", "C++ and C#, C", "", ["c"], "C++ and C#, [C]"),
        ("C++", "C++17", "", ["c++"], "[C++]17"),
        ("disney+", "Disney, Disney+", "", ["disney+"], "Disney, [Disney+]"),
        (".net", "A .NET app", "", [".net"], "A [.NET] app"),
        ("OpenAI", "OpenAI’s", "", ["openai"], "[OpenAI]’s"),
        ("strasse", "Die Straße", "", ["strasse"], "Die [Straße]"),
        ("café", "Cafe\u0301s, Cafe\u0301", "", ["café"], "Cafe\u0301s, [Cafe\u0301]"),
        ("fine", "ﬁne", "", ["fine"], "[ﬁne]"),
        ("1", "½ 1", "", ["1"], "[½] [1]"),
        ("東京", "新東京都", "東 京", ["東京"], "新[東京]都 | [東 京]"),
        ("東 京", "新東京都", "", ["京", "東"], "新[東京]都"),
        ('"b a" a', "a b a", "", ['"b a"', "a"], "[a] [b a]"),
        ("source:the-verge OR x", "x", "", ["x"], "[x]"),
        ('source:"the register" lang:en x', "x", "", ["lang:en", 'source:"the register"', "x"], "[x]"),
        ("category:ai", "AI", "", ["category:ai"], "AI"),
        ("ai OR category:ai", "AI", "", ["ai", "category:ai"], "[AI]"),
        ("a (a OR b)", "a b", "", ["a", "b"], "[a] [b]"),
    ],
)
def test_terms_and_marks(query: str, title: str, summary: str, held: list[str], shown: str) -> None:
    assert why(query, title, summary) == (held, shown)


@pytest.mark.parametrize(
    ("query", "title", "held", "shown"),
    [
        ("k8s", "Kubernetes and K8S", ["k8s"], "[Kubernetes] and [K8S]"),
        (
            '"the AI act"',
            "The artificial-intelligence act",
            ['"the ai act"'],
            "[The artificial-intelligence act]",
        ),
        ("title:tokyo", "東京", ["title:tokyo"], "[東京]"),
        ("rust -helm", "Rust", ["rust"], "[Rust]"),
    ],
)
def test_an_alias_is_marked_and_the_readers_own_word_told(
    query: str, title: str, held: list[str], shown: str
) -> None:
    assert why(query, title, aliases=ALIASES) == (held, shown)


@pytest.mark.parametrize(
    "query", ["python", "rust -kernel", "rust -linux-core", 'rust "in kernel"', "rust lang:de"]
)
def test_what_does_not_match_has_no_terms(query: str) -> None:
    aliases = Aliases({"linux-core": "kernel"})
    assert terms(parse(query), Document("Rust in the kernel"), aliases) is None


def _document(article: Article) -> Document:
    return Document(article.title, article.summary, article.source, article.language, article.categories)


def _words(found: list[Term]) -> list[Phrase]:
    return [phrase for term in found for phrase in term.phrases]


@settings(deadline=None, max_examples=300)
@given(subscriptions, articles)
def test_there_are_terms_exactly_where_the_article_matches(
    subscription: Subscription, article: Article
) -> None:
    query = limited(parse(subscription.tree.render()), subscription.sources, subscription.languages)
    found = terms(query, _document(article), NO_ALIASES)
    assert (found is not None) == subscription.holds(article)
    assert found is None or (found and len(set(found)) == len(found))
    for term in found or ():
        assert parse(term.written).matches(_document(article))


@settings(deadline=None, max_examples=300)
@given(subscriptions, articles)
def test_with_aliases_terms_are_found_where_the_expanded_query_matches(
    subscription: Subscription, article: Article
) -> None:
    query, aliases = parse(subscription.tree.render()), Aliases({"kube": "kubernetes", "東京都": "tokyo AI"})
    expanded = aliases.expand(query).matches(_document(article))
    assert (terms(query, _document(article), aliases) is not None) == expanded


@settings(deadline=None, max_examples=300)
@given(subscriptions, articles)
def test_marks_leave_the_text_as_it_is(subscription: Subscription, article: Article) -> None:
    found = terms(parse(subscription.tree.render()), _document(article), NO_ALIASES) or []
    for text, stretches in zip(
        (article.title, article.summary), marked(article.title, article.summary, found), strict=True
    ):
        assert "".join(stretch.text for stretch in stretches) == text
        assert all(stretch.text for stretch in stretches)
        assert all(one.match != other.match for one, other in pairwise(stretches))


@settings(deadline=None, max_examples=300)
@given(subscriptions, articles)
def test_something_is_marked_exactly_where_a_word_or_phrase_holds(
    subscription: Subscription, article: Article
) -> None:
    found = terms(parse(subscription.tree.render()), _document(article), NO_ALIASES) or []
    title, summary = marked(article.title, article.summary, found)
    assert any(stretch.match for stretch in title + summary) == bool(_words(found))


@settings(deadline=None, max_examples=300)
@given(subscriptions, articles)
def test_every_word_marked_belongs_to_a_term(subscription: Subscription, article: Article) -> None:
    found = terms(parse(subscription.tree.render()), _document(article), NO_ALIASES) or []
    title, summary = marked(article.title, article.summary, found)
    anywhere = [phrase for phrase in _words(found) if not phrase.in_title]
    for stretches, wanted in ((title, _words(found)), (summary, anywhere)):
        for stretch in stretches:
            if stretch.match:
                tokens = tokenize(stretch.text)
                covered = {at for phrase in wanted for at in _covered(phrase, tokens)}
                assert covered == set(range(len(tokens)))


def _covered(phrase: Phrase, tokens: list[str]) -> list[int]:
    size = len(phrase.tokens)
    starts = [
        start
        for start in range(len(tokens) - size + 1)
        if phrase.matches(Document(_written(tokens[start : start + size])))
    ]
    return [at for start in starts for at in range(start, start + size)]


def _written(tokens: list[str]) -> str:
    return " ".join(tokens).replace(" +", "+")


@settings(deadline=None, max_examples=300)
@given(subscriptions, articles, st.just("zzzz"))
def test_without_what_is_marked_no_term_holds(
    subscription: Subscription, article: Article, other: str
) -> None:
    found = terms(parse(subscription.tree.render()), _document(article), NO_ALIASES) or []
    title, summary = (
        "".join(f" {other} " if stretch.match else stretch.text for stretch in stretches)
        for stretches in marked(article.title, article.summary, found)
    )
    for term in found:
        assert not term.phrases or not matches(parse(term.written), title, summary)
