"""Canonical addresses, resolving, and what no source can be at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.urls import canonical_url, check_web_address, host_of, resolve

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


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://other.example/a", "https://other.example/a"),
        ("//other.example/a", "https://other.example/a"),
        ("/a", "https://site.example/a"),
        ("a", "https://site.example/blog/a"),
        ("  /with space \n", "https://site.example/with%20space"),
        ("/broken\n/line", "https://site.example/broken/line"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("mailto:me@site.example", None),
        ("http://", None),
        ("http://[bad", None),
        ("", None),
        (None, None),
        (5, None),
        ("/" + "a" * 5_000, None),
    ],
)
def test_a_link_is_resolved_to_a_web_address_or_nothing(link: object, expected: str | None) -> None:
    assert resolve("https://site.example/blog/feed.xml", link) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/feed", "http:// or https://"),
        ("example.org/feed", "http:// or https://"),
        ("feed:https://example.org", "http:// or https://"),
        ("https://", "not a web address"),
        ("https://example.org/a b", "not a web address"),
        ("https://example.org:0/", "not a web address"),
        ("https://example.org/" + "a" * 5_000, "not a web address"),
        ("https://me:secret@example.org/feed", "user name or password"),
    ],
)
def test_an_unusable_address_is_refused_in_words(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_web_address(url)


def test_usable_addresses_pass_the_check() -> None:
    check_web_address("https://example.org/feed?x=1")
    check_web_address("http://127.0.0.1:8080/feed")


def test_the_host_of_an_address() -> None:
    assert host_of("https://WWW.Example.org:8080/a") == "www.example.org"
    assert host_of(None) == host_of("nonsense") == ""
