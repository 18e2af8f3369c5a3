"""Resolving links, and what no source can be at."""

import pytest

from fetcher.urls import check_web_address, resolve


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
