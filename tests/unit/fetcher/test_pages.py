"""What web pages say of their feeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.parsing.pages import MOST_LINKS, READ_CHARACTERS, Link, PageLinks, page_links

URL = "https://site.example/blog/post.html"
RSS = "application/rss+xml"


def links(page: str) -> PageLinks:
    return page_links(page.encode(), "text/html; charset=utf-8", URL)


def declared(page: str) -> list[str]:
    return [link.url for link in links(page).declared]


def shown(page: str) -> list[str]:
    return [link.url for link in links(page).shown]


@pytest.mark.parametrize(
    "kind",
    [
        RSS,
        "application/atom+xml",
        "application/rdf+xml",
        "application/feed+json",
        "application/json",
        "text/xml",
    ],
)
def test_link_elements_of_every_feed_type_count(kind: str) -> None:
    page = f"<!doctype html><html><head><link rel='alternate' type='{kind}' href='/f' title='News'></head>"
    assert links(page).declared == (Link("https://site.example/f", "News"),)


@pytest.mark.parametrize(
    ("element", "url"),
    [
        (
            f"<LINK REL='Alternate' TYPE='{RSS.upper()}; charset=utf-8' HREF=feed>",
            "https://site.example/blog/feed",
        ),
        (f"<link rel='alternate home' type='{RSS}' href='../feed#top' />", "https://site.example/feed"),
        (
            f"<link href=//cdn.example/f?a=1&amp;b=2 type={RSS} rel=alternate>",
            "https://cdn.example/f?a=1&b=2",
        ),
        (f"<link rel=alternate type={RSS} href=' https://a.example/f\n'>", "https://a.example/f"),
        ("<link rel=feed href=/f>", "https://site.example/f"),
        (f"<p><div></p><body><link rel=alternate type={RSS} href=/f></span>", "https://site.example/f"),
        (
            f"<base href='https://b.example/x/'><link rel=alternate type={RSS} href=f>",
            "https://b.example/x/f",
        ),
        (
            f"<base href='/x/'><base href='/y/'><link rel=alternate type={RSS} href=f>",
            "https://site.example/x/f",
        ),
    ],
)
def test_addresses_are_as_seen_from_the_page(element: str, url: str) -> None:
    assert declared(f"<html><head>{element}") == [url]


@pytest.mark.parametrize(
    "element",
    [
        f"<link rel=stylesheet type={RSS} href=/f>",
        "<link rel=alternate type=text/html href=/f>",
        "<link rel=alternate hreflang=de href=/de>",
        f"<link rel=alternate type={RSS}>",
        f"<link rel=alternate type={RSS} href=''>",
        f"<link rel=alternate type={RSS} href='javascript:alert(1)'>",
        f"<!-- <link rel=alternate type={RSS} href=/f> -->",
        f"<script>'<link rel=alternate type={RSS} href=/f>'</script>",
    ],
)
def test_what_declares_no_feed(element: str) -> None:
    assert declared(f"<html><head>{element}</head>") == []


@pytest.mark.parametrize(
    ("anchor", "found"),
    [
        ("<a href='/rss'>News</a>", True),
        ("<a href='/news/feed/'>News</a>", True),
        ("<a href='/index.xml'>News</a>", True),
        ("<a href='/?format=atom'>News</a>", True),
        ("<a href='/x'><img src=i> <b>RSS</b> Feed</a>", True),
        ("<a href='/x'>Subscribe via Atom</a>", True),
        ("<a href='/x'>Why RSS is better than all the feeds of others</a>", False),
        ("<a href='/about'>About</a>", False),
        ("<a href='/embarrass'>News</a>", False),
        ("<a href='mailto:rss@site.example'>RSS</a>", False),
        ("<a>RSS</a>", False),
    ],
)
def test_links_for_people_that_look_like_feeds(anchor: str, found: bool) -> None:
    assert bool(shown(f"<body>{anchor}")) is found


def test_each_address_counts_once_and_only_the_first_few() -> None:
    repeated = f"<link rel=alternate type={RSS} href=/f>" * 3
    assert declared(repeated) == ["https://site.example/f"]
    many = "".join(f"<a href='/rss/{number}'>x</a>" for number in range(1_000))
    assert len(shown(many)) == MOST_LINKS


def test_the_encoding_of_the_page_is_read() -> None:
    page = f"<link rel=alternate type={RSS} title='Köln' href=/f>"
    assert page_links(page.encode("cp1252"), "text/html; charset=iso-8859-1", URL).declared[0].title == "Köln"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "klingon"])
def test_what_a_page_says_of_its_encoding_hides_nothing(encoding: str) -> None:
    said = f"<?xml version='1.0' encoding='{encoding}'?><html><head><meta charset='{encoding}'>"
    more = f"<meta http-equiv=Content-Type content='text/html; charset={encoding}'>"
    (link,) = links(f"{said}{more}<link rel=alternate type={RSS} title='Köln' href=/f>").declared
    assert link.title == "Köln"


_HOSTILE = {
    "nested elements": "<div>" * 200_000,
    "nested links": "<a href='/rss'>" * 70_000,
    "attributes": "<link " + " ".join(f"a{number}=x" for number in range(100_000)),
    "one attribute again and again": "<a " + "href=x " * 140_000,
    "quotes that never end": "<a href='" * 110_000,
    "comments that never end": "<!--" * 250_000,
    "sections that never end": "<![CDATA[" * 110_000,
    "brackets": "<" * READ_CHARACTERS,
    "ampersands": "&" * READ_CHARACTERS,
    "words": "<a href=x>" + "-rss-" * 190_000 + "!z</a>",
    "a long address": "<a href='" + "/rss" * 240_000 + "'>x</a>",
    "nothing": "\0" * READ_CHARACTERS,
}


@pytest.mark.parametrize("what", _HOSTILE)
def test_hostile_pages_hurt_nobody(what: str) -> None:
    found = links(_HOSTILE[what] + f"<link rel=alternate type={RSS} href=/late>" * 2)
    assert len(found.declared) + len(found.shown) <= 2 * MOST_LINKS


@given(st.text(alphabet="<>/ =\"'&;!-alinkrebsthf\0\ud800", max_size=200) | st.binary(max_size=200))
def test_no_page_breaks_it(page: str | bytes) -> None:
    body = page if isinstance(page, bytes) else page.encode("utf-8", "surrogatepass")
    page_links(body, "text/html", URL)
