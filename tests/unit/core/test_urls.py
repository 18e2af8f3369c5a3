"""Addresses: when two mean one page, and when a page can be an article."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.urls import article_page, canonical_url, host_of

PAGE = "https://news.example/2025/story"


@pytest.mark.parametrize(
    "variant",
    [
        "http://news.example/2025/story",
        "HTTPS://NEWS.EXAMPLE/2025/story",
        "http://news.example:80/2025/story",
        "https://news.example:443/2025/story",
        "https://news.example./2025/story",
        "https://news.example/2025/story#comments",
        "https://news.example/2025/story?",
        "https://news.example/2025/story?utm_source=rss&utm_medium=feed",
        "https://news.example/2025/story?fbclid=abc&gclid=1&mc_cid=2&igshid=3",
        "https://news.example/2025/story?UTM_Source=rss",
        "https://news.example/2025/story?utm_source=a&amp;utm_medium=b&amp;amp;utm_campaign=c",
        "https://news.example/2025/story?amp;utm_source=a",
        "https://news.example/2025/story?%75tm_source=a",
        "https://news.example/2025/story?source=rss-abc------2",
        "https://news.example/2025/story/amp",
        "https://news.example/2025/story?amp=1",
        "https://news.example/2025/story?amp",
        "https://news.example/2025/story?outputType=amp",
        "https://news.example/2025/story.amp",
        "https://news.example/2025/%73tory",
    ],
)
def test_variants_of_one_page_are_equal(variant: str) -> None:
    assert canonical_url(variant) == PAGE


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://example.org", "https://example.org/"),
        ("http://example.org:8080/a", "https://example.org:8080/a"),
        ("http://www.example.org/a", "https://www.example.org/a"),
        ("https://example.org/story/amp/", "https://example.org/story/"),
        ("https://example.org/a.amp.html", "https://example.org/a.html"),
        ("https://amp.paper.example/a", "https://www.paper.example/a"),
        ("https://amp.dev/a", "https://amp.dev/a"),
        ("https://example.org/amp", "https://example.org/amp"),
        ("https://example.org/amp?amp=guitar", "https://example.org/amp?amp=guitar"),
        ("https://example.org/?b=2&a=1&utm_id=3&b=1", "https://example.org/?b=2&a=1&b=1"),
        ("https://example.org/a?id=5&amp;page=2", "https://example.org/a?id=5&page=2"),
        ("https://example.org/#!/story/5", "https://example.org/#!/story/5"),
        ("https://example.org/caf%c3%a9", "https://example.org/caf%C3%A9"),
        ("https://example.org/café", "https://example.org/caf%C3%A9"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
        ("https://example.org/%%341", "https://example.org/%2541"),
        ("https://example.org/a?source=email", "https://example.org/a?source=email"),
    ],
)
def test_what_makes_a_difference_stays(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical


@pytest.mark.parametrize(
    "url",
    ["", "mailto:a@b", "ftp://a/b", "http://", "http://[::1", "http://a:99999/", "/relative", "https://a b/"],
)
def test_other_than_web_addresses_have_no_canonical_form(url: str) -> None:
    assert canonical_url(url) is None


_PIECE = st.sampled_from(
    [
        "/",
        "amp",
        ".amp",
        "?",
        "&",
        "=",
        "&amp;",
        "amp;",
        "utm_x",
        "#",
        "!",
        "%",
        "%41",
        "%7e",
        "é",
        "a",
        "1",
        ".",
        ";",
    ]
)
_URL = st.builds(
    lambda scheme, host, rest: f"{scheme}://{host}{rest}",
    st.sampled_from(["http", "https"]),
    st.sampled_from(
        ["a.example", "AMP.a.example:80", "amp.amp.a.example", "u:p@b.example:443", "É.example", "[::1]:8"]
    ),
    st.lists(_PIECE, max_size=14).map("".join).map(lambda rest: rest if rest[:1] in "/?#" else f"/{rest}"),
)


@given(_URL)
def test_the_canonical_form_is_its_own(url: str) -> None:
    once = canonical_url(url)
    assert once is not None
    assert canonical_url(once) == once


@given(_URL)
def test_the_scheme_makes_no_difference(url: str) -> None:
    rest = url.partition("://")[2]
    assert canonical_url(f"http://{rest}") == canonical_url(f"https://{rest}")


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.org/{text}"):
        canonical = canonical_url(url)
        assert canonical is None or canonical.startswith("https://")


def test_the_host_of_an_address() -> None:
    assert host_of("https://WWW.Example.org:8080/a") == "www.example.org"
    assert host_of(None) == host_of("nonsense") == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://paper.example",
        "http://paper.example/",
        "https://paper.example/?utm_source=feed",
        "https://paper.example/#top",
        "https://paper.example/index.html",
        "https://paper.example/Default.aspx",
        "https://paper.example/home.php",
        "mailto:news@paper.example",
        "",
        None,
    ],
)
def test_a_home_page_is_no_article(url: str | None) -> None:
    assert article_page(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://paper.example/?p=17",
        "https://paper.example/#!/17",
        "https://paper.example/index",
        "https://paper.example/index.html?id=17",
        "https://paper.example/index.html/17",
        "https://paper.example/a",
    ],
)
def test_what_a_page_is_asked_for_makes_it_an_article(url: str) -> None:
    assert article_page(url) == canonical_url(url)


@given(_URL)
def test_an_article_is_told_by_its_canonical_address(url: str) -> None:
    page = article_page(url)
    assert page in (None, canonical_url(url))
    assert article_page(canonical_url(url)) == page
