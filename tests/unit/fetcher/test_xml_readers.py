"""The strict and the lenient reader of XML feeds, which must say the same, and what only one of them can."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fetcher.parsing.hints import header_links
from fetcher.parsing.lenient_xml import read_leniently
from fetcher.parsing.strict_xml import read_strictly
from fetcher.sources.base import Document, FeedHints, ParsedDocument
from fetcher.sources.feed import KIND

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://site.example/blog/feed"
NAMESPACES = (
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
)


def parse(document: str, **headers: str) -> ParsedDocument:
    return KIND.parse(Document(URL, 200, headers, document.encode()), NOW)


def leniently(document: str) -> ParsedDocument:
    """Parse a document after making it ill-formed, behind its end."""
    broken = document + "<"
    assert read_strictly(broken, URL) is None
    return parse(broken)


def rss(item: str, channel: str = "") -> str:
    content = f"<channel><title>Site</title>{channel}<item>{item}</item></channel>"
    return f'<?xml version="1.0"?><rss version="2.0" {NAMESPACES}>{content}</rss>'


def atom(
    entry: str, feed: str = "", attributes: str = "", namespace: str = "http://www.w3.org/2005/Atom"
) -> str:
    return f'<feed xmlns="{namespace}" {attributes}><title>Site</title>{feed}<entry>{entry}</entry></feed>'


SAME = [
    rss("<title>T</title><link>https://a.example/1</link><description>&lt;p&gt;Words&lt;/p&gt;</description>"),
    rss("<title>T</title><guid>https://a.example/1</guid><pubDate>Sun, 01 Mar 2026 10:00:00 GMT</pubDate>"),
    rss("<title>T</title><description>Short</description><content:encoded>Long</content:encoded>"),
    rss("<title>T</title><content:encoded><![CDATA[<p>Only</p><p>this</p>]]></content:encoded>"),
    rss("<title>T</title><dc:creator>Ann</dc:creator><dc:date>2026-03-01T09:00:00Z</dc:date>"),
    rss("<title>T</title><category>A</category><category domain='x'>B</category><dc:subject>C</dc:subject>"),
    rss("<media:title>Caption</media:title><title>T</title><media:content url='/i' medium='image'/>"),
    rss("<title>T</title><media:group><media:thumbnail url='https://a.example/i.png'/></media:group>"),
    rss("<title>T</title><enclosure url='https://a.example/a.mp3' type='audio/mpeg' length='1'/>"),
    rss("<title>T</title><itunes:author>Ann</itunes:author><itunes:image href='https://a.example/i.png'/>"),
    rss("<title>T</title><source url='https://w.example/'>The Wire</source>"),
    rss("<title>T</title><atom:link rel='self' href='https://a.example/s'/><link>https://a.example/1</link>"),
    rss("<title>T</title>", "<language>de-AT</language><link>https://a.example/</link>"),
    atom("<title>T</title><id>tag:a.example,1</id><link href='/1'/><updated>2026-02-01</updated>"),
    atom("<title>T</title><id>https://a.example/1</id><content type='html'>&lt;b&gt;W&lt;/b&gt;</content>"),
    atom("<title>T</title><link rel='enclosure' type='image/png' href='/i.png'/><link href='/1'/>"),
    atom("<title>T</title><author><name>A</name></author><author><name>B</name><uri>x</uri></author>"),
    atom("<title>T</title><category term='tv' label='TV'/><category term='x'/>", attributes='xml:lang="en"'),
    atom("<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>One <b>two</b></div></title>"),
    atom("<title>T</title><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>A</p><p>B</p></div></content>"),
    atom("<title>T</title><link href='1'/>", attributes='xml:base="https://base.example/x/"'),
    atom("<title>T</title><source><title>The Wire</title><id>x</id></source><summary>Words</summary>"),
    atom("<title>T</title><issued>2026-02-01T00:00:00Z</issued>", namespace="http://purl.org/atom/ns#"),
]  # fmt: skip


@pytest.mark.parametrize("document", SAME)
def test_both_readers_say_the_same(document: str) -> None:
    assert read_strictly(document, URL) is not None
    assert parse(document) == leniently(document)


@pytest.mark.parametrize(
    ("document", "title", "url"),
    [
        (rss("<media:title>Caption</media:title><title>Headline</title>"), "Headline", None),
        (rss("<title>One <b>two</b> three</title>"), "One two three", None),
        (atom("<title>T</title><link type='text/x' href='/j'/><link href='/1'/>"), "T", "https://site.example/1"),
        (atom("<title>T</title><link href='1' xml:base='https://base.example/y/'/>"), "T", "https://base.example/y/1"),
        (rss("<title>T</title><link>1</link>", "<link>https://a.example/x/</link>"), "T", "https://a.example/x/1"),
        (rss("<title>T</title><link>1</link>").replace("<item", "<item xml:base='http://b.example/'"), "T", "http://b.example/1"),
    ],
)  # fmt: skip
def test_headlines_and_addresses(document: str, title: str, url: str | None) -> None:
    (item,) = parse(document).items
    assert (item.title, item.url) == (title, url)


@pytest.mark.parametrize(
    "document",
    [
        rss("<title>T</title>").removesuffix("</rss>"),
        rss("<title>&x;</title>").replace("<rss", '<!DOCTYPE rss [<!ENTITY x "y">]><rss'),
        rss("<title>T</title>").replace("<rss", '<!DOCTYPE rss SYSTEM "rss.dtd"><rss'),
        rss("<title>T</title>")
        .replace(" xmlns:atom", " xmlns:unused")
        .replace("<item>", "<item><atom:link/>"),
        "<rss version='2.0'><channel/><more><item><title>T</title></item></more></rss>",
        "<other><item><title>T</title></item></other>",
    ],
)
def test_what_is_no_plain_feed_is_left_to_the_lenient_reader(document: str) -> None:
    assert read_strictly(document, URL) is None


def test_pictures_and_words_of_a_video_are_found() -> None:
    group = (
        "<media:group><media:title>T</media:title><media:description>Words</media:description>"
        "<media:content url='https://v.example/v' type='video/mp4'/>"
        "<media:thumbnail url='https://v.example/i.jpg'/></media:group>"
    )
    (item,) = parse(rss(f"<title>T</title>{group}")).items
    assert (item.summary, item.image) == ("Words", "https://v.example/i.jpg")


# --- hints


@pytest.mark.parametrize(
    ("channel", "seconds"),
    [
        ("", None),
        ("<ttl>60</ttl>", 3_600.0),
        ("<ttl> 1.5 </ttl>", 90.0),
        ("<ttl>0</ttl>", None),
        ("<ttl>-5</ttl>", None),
        ("<ttl>often</ttl>", None),
        ("<sy:updatePeriod> Daily </sy:updatePeriod>", 86_400.0),
        ("<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>", 1_800.0),
        ("<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>", 3_600.0),
        ("<sy:updatePeriod>never</sy:updatePeriod>", None),
        ("<ttl>5</ttl><sy:updatePeriod>hourly</sy:updatePeriod>", 3_600.0),
        ("<ttl>90</ttl><sy:updatePeriod>hourly</sy:updatePeriod>", 5_400.0),
    ],
)
def test_the_interval_that_a_feed_asks_for(channel: str, seconds: float | None) -> None:
    document = rss("<title>T</title>", channel)
    assert parse(document).hints == leniently(document).hints == FeedHints(interval_seconds=seconds)


LINKS = "<{0}link rel='self' href='/feed'/><{0}link rel='hub' href='https://hub.example/'/>"


@pytest.mark.parametrize(
    "document",
    [rss("<title>T</title>", LINKS.format("atom:")), atom("<title>T</title>", LINKS.format(""))],
)
def test_hub_and_own_address(document: str) -> None:
    expected = FeedHints(hub="https://hub.example/", self_url="https://site.example/feed")
    assert parse(document).hints == leniently(document).hints == expected


def test_json_feed_names_hub_and_own_address() -> None:
    document = (
        '{"version": "https://jsonfeed.org/version/1.1", "feed_url": "/feed.json", "items": [], '
        '"hubs": [{"type": "rssCloud", "url": "https://no.example/"}, {"type": "WebSub", "url": "https://hub.example/"}]}'
    )
    expected = FeedHints(hub="https://hub.example/", self_url="https://site.example/feed.json")
    assert parse(document).hints == expected


def test_a_link_header_comes_before_the_document() -> None:
    document = rss("<title>T</title>", "<ttl>60</ttl>" + LINKS.format("atom:"))
    header = '<https://other.example/>; rel="hub", </css>; rel=preload'
    assert parse(document, link=header).hints == replace(parse(document).hints, hub="https://other.example/")
    assert parse(document, link="</x>; rel=next").hints == parse(document).hints


@pytest.mark.parametrize(
    ("header", "links"),
    [
        ("", []),
        ("nonsense", []),
        ("<https://h.example/>", []),
        ("<https://h.example/>; rel=hub", [("hub", "https://h.example/")]),
        ('<a,b;c>; title="x"; REL="self hub"', [("self hub", "a,b;c")]),
        ('<1>; rel="hub", <2>;rel=self;type="x"', [("hub", "1"), ("self", "2")]),
    ],
)
def test_link_headers(header: str, links: list[tuple[str, str]]) -> None:
    assert header_links(header) == links


def test_a_hub_that_is_no_web_address_is_none() -> None:
    document = rss("<title>T</title>", "<atom:link rel='hub' href='javascript:x'/>")
    assert parse(document).hints == FeedHints()


def test_the_lenient_reader_needs_no_declaration() -> None:
    assert read_leniently("<rss><channel><item><title>T</title></item></channel></rss>", URL).entries
