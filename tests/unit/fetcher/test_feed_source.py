"""The kind `feed`: every dialect, as found in the wild."""

import json
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fetcher.sources
from core.errors import Reason
from core.registry import discover
from fetcher.identity import to_message
from fetcher.sources.base import Document, Item, ParsedDocument, SourceError, SourceKind
from fetcher.sources.feed import KIND

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://site.example/blog/feed"


def parse(
    body: str | bytes, content_type: str = "application/xml", status: int = 200, **headers: str
) -> ParsedDocument:
    raw = body.encode() if isinstance(body, str) else body
    return KIND.parse(Document(URL, status, {"content-type": content_type, **headers}, raw), NOW)


def rss(*items: str, channel: str = "", version: str = "2.0") -> str:
    inner = "".join(f"<item>{item}</item>" for item in items)
    content = f"<channel><title>Site</title>{channel}{inner}</channel>"
    return f'<?xml version="1.0"?><rss version="{version}">{content}</rss>'


def atom(*entries: str, attributes: str = "") -> str:
    inner = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}><title>Site</title>{inner}</feed>'


def json_feed(*items: object, **more: object) -> str:
    return json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "Site", "items": items, **more}
    )


def only(document: ParsedDocument) -> Item:
    (item,) = document.items
    return item


def failure(body: str | bytes, status: int = 200, **headers: str) -> SourceError:
    with pytest.raises(SourceError) as raised:
        parse(body, status=status, **headers)
    return raised.value


# --- the port


def test_the_kind_is_found_by_its_name() -> None:
    kinds: dict[str, SourceKind] = discover(fetcher.sources, "KIND")
    assert kinds["feed"] is KIND
    assert KIND.default_interval_seconds == 900


def test_the_request_is_conditional() -> None:
    request = KIND.request(URL, '"tag"', "Sun, 01 Mar 2026 12:00:00 GMT", {"newsapi_key": "secret"})
    assert request.url == URL
    assert request.headers["If-None-Match"] == '"tag"'
    assert request.headers["If-Modified-Since"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert "application/rss+xml" in request.headers["Accept"]
    assert request.credentials == {}


def test_the_first_request_is_not_conditional() -> None:
    assert set(KIND.request(URL, None, None, {}).headers) == {"Accept"}


def test_an_address_that_cannot_be_a_feed_is_refused() -> None:
    KIND.check(URL)
    with pytest.raises(ValueError, match="http:// or https://"):
        KIND.check("file:///etc/passwd")


# --- dialects


RSS_2 = rss(
    "<title>Tom &amp;amp; Jerry</title><link>https://site.example/1</link>"
    "<guid isPermaLink='false'>id-1</guid>"
    "<description>&lt;p&gt;Cat &amp;amp; mouse&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;</description>"
    "<pubDate>Sun, 01 Mar 2026 10:00:00 +0100</pubDate><category>TV</category><category>Comedy</category>"
    "<author>ann@site.example (Ann)</author>"
    "<enclosure url='https://site.example/i.png' type='image/png' length='1'/>"
    "<source url='https://wire.example/feed'>The Wire</source>",
    channel="<link>https://site.example/</link><language>en-US</language>",
)
RSS_091 = rss(
    "<title>One</title><link>https://site.example/1</link><description>Words</description>", version="0.91"
)
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://site.example/"><title>Site</title>
 <link>https://site.example/</link></channel><item rdf:about="https://site.example/1"><title>One</title>
 <link>https://site.example/1</link><description>Words</description><dc:date>2026-03-01T09:00:00Z</dc:date>
 <dc:creator>Ann</dc:creator><dc:subject>TV</dc:subject></item></rdf:RDF>"""
ATOM = atom(
    "<id>tag:site.example,2026:1</id><title type='html'>Tom &amp;amp; &lt;i&gt;Jerry&lt;/i&gt;</title>"
    "<link rel='alternate' href='https://site.example/1'/><summary>Words</summary>"
    "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>More words</p></div></content>"
    "<published>2026-03-01T09:00:00Z</published><updated>2026-03-01T11:00:00Z</updated>"
    "<author><name>Ann</name></author><author><name>Bob</name></author><category term='tv' label='TV'/>",
    attributes='xml:lang="en"',
)


def test_rss_2_says_everything() -> None:
    document = parse(RSS_2)
    assert (document.title, document.language) == ("Site", "en-us")
    assert only(document) == Item(
        title="Tom & Jerry",
        summary="Cat & mouse",
        guid="id-1",
        url="https://site.example/1",
        published_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        language="en-us",
        categories=("TV", "Comedy"),
        authors=("Ann",),
        image="https://site.example/i.png",
        publisher="The Wire",
    )


def test_rss_091_has_no_guid() -> None:
    assert only(parse(RSS_091)) == Item("One", "Words", url="https://site.example/1")


def test_rdf_identifies_by_its_subject() -> None:
    item = only(parse(RDF))
    assert (item.title, item.summary, item.guid) == ("One", "Words", "https://site.example/1")
    assert (item.authors, item.categories) == (("Ann",), ("TV",))
    assert item.published_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_atom_says_everything() -> None:
    item = only(parse(ATOM))
    assert (item.title, item.summary, item.guid) == ("Tom & Jerry", "Words", "tag:site.example,2026:1")
    assert (item.url, item.language) == ("https://site.example/1", "en")
    assert (item.authors, item.categories) == (("Ann", "Bob"), ("TV",))
    assert item.published_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_json_feed_says_everything() -> None:
    item = {
        "id": 7,
        "url": "/1",
        "title": "AT&amp;T",
        "content_html": "<p>Words</p>",
        "date_published": "2026-03-01T10:00:00+01:00",
        "tags": ["TV", 5, "TV"],
        "authors": [{"name": "Ann"}, {"url": "x"}],
        "image": "i.png",
        "language": "de",
    }
    document = parse(
        json_feed(item, home_page_url="https://site.example/", language="en"), "application/feed+json"
    )
    assert (document.title, document.language) == ("Site", "en")
    assert only(document) == Item(
        title="AT&T",
        summary="Words",
        guid="7",
        url="https://site.example/1",
        published_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        language="de",
        categories=("TV",),
        authors=("Ann",),
        image="https://site.example/i.png",
    )


def test_json_feed_1_0_names_one_author_for_all() -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1",
        "author": {"name": "Ann"},
        "items": [{"content_text": "Words"}],
    }
    item = only(parse(json.dumps(feed), "application/json"))
    assert (item.title, item.guid, item.authors) == ("Words", None, ("Ann",))


@pytest.mark.parametrize("content_type", ["text/html", "application/json", "", "nonsense"])
def test_the_content_type_does_not_decide(content_type: str) -> None:
    assert only(parse(RSS_091, content_type)).title == "One"
    assert only(parse(json_feed({"title": "One"}), content_type)).title == "One"


# --- titles and summaries


def test_a_missing_title_is_made_of_the_summary_or_the_address() -> None:
    document = parse(
        rss("<description>Just &lt;b&gt;words&lt;/b&gt;</description>", "<link>https://site.example/1</link>")
    )
    assert [item.title for item in document.items] == ["Just words", "https://site.example/1"]


def test_an_item_that_says_nothing_is_left_out() -> None:
    assert parse(rss("<category>x</category>", "<title> </title>")).items == ()


def test_content_stands_in_for_a_missing_summary() -> None:
    item = only(parse(atom("<title>T</title><content type='html'>&lt;p&gt;All of it&lt;/p&gt;</content>")))
    assert item.summary == "All of it"


def test_words_in_angle_brackets_stay_in_a_title() -> None:
    assert only(parse(rss("<title>The &lt;video&gt; element</title>"))).title == "The <video> element"


def test_the_name_of_the_origin_is_taken_off_a_title() -> None:
    item = only(
        parse(rss("<title>Rain - The Wire</title><source url='https://wire.example'>The Wire</source>"))
    )
    assert (item.title, item.publisher) == ("Rain", "The Wire")


# --- addresses


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (rss("<title>T</title><link>/1</link>"), "https://site.example/1"),
        (rss("<title>T</title><link>1</link>"), "https://site.example/blog/1"),
        (rss("<title>T</title><link>/1</link>", channel="<link>https://www.other.example/x</link>"), "https://www.other.example/1"),
        (rss("<title>T</title><link>//cdn.example/1</link>"), "https://cdn.example/1"),
        (rss("<title>T</title><link>javascript:alert(1)</link>"), None),
        (rss("<title>T</title><link>mailto:a@b.example</link>"), None),
        (rss("<title>T</title><link>https://a.example/?a=1&amp;b=2</link>"), "https://a.example/?a=1&b=2"),
        (rss("<title>T</title><guid>https://a.example/1</guid>"), "https://a.example/1"),
        (rss("<title>T</title><guid>4711</guid>"), None),
        (rss("<title>T</title><guid isPermaLink='false'>https://a.example/1</guid>"), None),
        (atom("<title>T</title><link href='1'/>"), "https://site.example/blog/1"),
        (atom("<title>T</title><link href='1'/>", attributes='xml:base="https://base.example/x/"'), "https://base.example/x/1"),
        (atom("<title>T</title><link rel='enclosure' href='https://a.example/1.mp3'/>"), None),
    ],
)  # fmt: skip
def test_links_are_absolute_web_addresses_or_none(document: str, expected: str | None) -> None:
    assert only(parse(document)).url == expected


def test_the_address_behind_a_redirecting_service_is_preferred() -> None:
    feed = rss(
        "<title>T</title><link>https://proxy.example/x</link><f:origLink>https://a.example/1</f:origLink>"
    )
    feed = feed.replace("<rss ", '<rss xmlns:f="http://rssnamespace.org/feedburner/ext/1.0" ')
    assert only(parse(feed)).url == "https://a.example/1"


# --- dates


def test_a_date_in_the_future_is_now_and_an_impossible_one_none() -> None:
    dates = ("Sun, 01 Mar 2099 10:00:00 GMT", "Sun, 99 Mar 2026 10:00:00 GMT", "", "2026년 02월 01일")
    document = parse(rss(*(f"<title>T{date}</title><pubDate>{date}</pubDate>" for date in dates)))
    assert [item.published_at for item in document.items][:3] == [NOW, None, None]
    assert [item.has_bad_date for item in document.items] == [False, True, False, True]


# --- limits


def test_the_newest_500_items_are_read() -> None:
    items = [
        f"<title>{n}</title><pubDate>2026-01-01T00:{n // 60:02}:{n % 60:02}Z</pubDate>" for n in range(520)
    ]
    document = parse(rss(*items))
    assert [item.title for item in document.items] == [str(number) for number in range(20, 520)]


def test_a_summary_is_no_longer_than_a_message_shows() -> None:
    assert (
        len(only(parse(rss(f"<title>T</title><description>{'word ' * 5_000}</description>"))).summary)
        <= 4_000
    )


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ("Ann", ("Ann",)),
        ("ann@site.example (Ann)", ("Ann",)),
        ("Ann &lt;ann@site.example&gt;", ("Ann",)),
        ("Ann &amp;amp; Bob", ("Ann & Bob",)),
        ("@ann", ("@ann",)),
        ("ann@site.example", ()),
        ("", ()),
    ],
)
def test_an_author_is_a_name_without_mail_address(author: str, names: tuple[str, ...]) -> None:
    assert only(parse(rss(f"<title>T</title><author>{author}</author>"))).authors == names


# --- what is not a feed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "empty document"),
        (" \n\t ", "empty document"),
        (b"\xef\xbb\xbf", "empty document"),
        ("<!DOCTYPE html><html><head><title>Log in</title></head></html>", "a web page"),
        ("<!-- hi --><HTML><body><item><title>x</title></item></body></html>", "a web page"),
        ("just some words", "neither RSS"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe", "neither RSS"),
        ("<opml version='2.0'><body/></opml>", "neither RSS"),
        ("{}", "not a JSON Feed"),
        ("[1, 2]", "not a JSON Feed"),
        ('{"version": "https://jsonfeed.org/version/1", "items": [{"id": "cut', "damaged or cut off"),
        ("<?xml version='1.0'?><rss vers", "neither RSS"),
        ("<rss version='2.0'><channel><title>Si", "damaged or cut off"),
    ],
)
def test_what_is_no_feed_is_refused_in_words(body: str | bytes, words: str) -> None:
    error = failure(body)
    assert words in str(error)
    assert error.reason is Reason.PROTOCOL
    assert error.pause_seconds is None


def test_a_feed_without_items_is_a_feed() -> None:
    assert parse(rss()).items == ()
    assert parse(atom()).items == ()
    assert parse(json_feed()).items == ()


# --- what is broken, but readable


TWO = rss("<title>One</title>", "<title>Two</title>")


@pytest.mark.parametrize(
    "body",
    [
        TWO.removesuffix("</channel></rss>"),
        TWO.replace("One", "One & only").replace("One & only", "One"),
        TWO.replace("</channel>", "<item><title>Three"),
        "\n\n " + TWO,
        "<br />Warning: something failed" + TWO,
        TWO.replace("<title>Site</title>", "<title>Site & more</title>"),
        TWO.replace("<title>Site</title>", "<title>&nbsp;&undefined;</title>"),
        TWO.replace("<title>Site</title>", "<unknown:thing>x</unknown:thing>"),
        TWO.replace("Site", "Site\x0b\x08&#0;&#55357;&#99999999999;"),
        TWO.encode("utf-16"),
        TWO.encode() + b"\xff\xfe",
    ],
)
def test_a_broken_feed_gives_what_is_readable(body: str | bytes) -> None:
    assert [item.title for item in parse(body).items][:2] == ["One", "Two"]


def test_a_cut_off_json_feed_gives_its_whole_items() -> None:
    whole = json_feed({"title": "One"}, {"title": "Two"}, {"title": "Three"})
    assert [item.title for item in parse(whole[: whole.index("Three")]).items] == ["One", "Two"]


def test_a_character_escaped_as_two_halves_is_put_together() -> None:
    assert only(parse(rss("<title>Sun &#55356;&#57118; &#xD83C;</title>"))).title == "Sun 🌞"


@given(st.integers(0, len(RSS_2)))
def test_a_feed_cut_off_anywhere_gives_items_or_words(length: int) -> None:
    try:
        document = parse(RSS_2[:length])
    except SourceError:
        return
    assert len(document.items) <= 1


_SCRAPS = st.lists(
    st.sampled_from(
        [
            "<rss version='2.0'>",
            "<channel>",
            "<item>",
            "</item>",
            "<title>",
            "</title>",
            "<link>",
            "http://[",
            "<![CDATA[",
            "]]>",
            "&#x110000;",
            "&amp;",
            "&x;",
            "<guid>",
            "</guid>",
            "<feed>",
            "<entry>",
            "<link href='http://a/'/>",
            "<!--",
            "-->",
            "<",
            ">",
            "x",
            "\0",
            "{",
            "<author>a@b",
            "<pubDate>0</pubDate>",
            "<media:thumbnail url='x'/>",
            "<image>",
            "<source>",
            "<svg>",
            "<category>c</category>",
        ]
    ),
    max_size=30,
).map("".join)


@given(_SCRAPS)
def test_no_document_breaks_the_parser(body: str) -> None:
    try:
        document = parse(body)
    except SourceError:
        return
    for item in document.items:
        assert to_message(item, "src_1", "Site", "id", 1, NOW).title


# --- what is hostile


def test_no_file_is_opened_for_an_entity() -> None:
    declaration = '<!DOCTYPE rss [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    for separator in ("", "\n"):
        feed = rss("<title>T &e;</title>").replace("?>", f"?>{separator}{declaration}", 1)
        assert only(parse(feed)).title in ("T", "T &e;")


def test_entities_within_entities_do_not_explode() -> None:
    levels = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 100}">' for n in range(6))
    feed = rss("<title>T &e6;</title>").replace("?>", f'?><!DOCTYPE rss [<!ENTITY e0 "ha">{levels}]>', 1)
    assert len(only(parse(feed)).title) < 100


@pytest.mark.parametrize(
    "item",
    [
        "<title>T</title><author>" + "a" * 300_000 + "</author>",
        "<title>T</title>" + "".join(f"<category>{number}</category>" for number in range(20_000)),
        "<title>T</title><a " + " ".join(f'a{number}="x"' for number in range(20_000)) + "/>",
        "<title>T</title><title>" + "&lt;img " * 30_000 + "</title>",
        "<title>T</title>" + "<a>" * 20_000,
    ],
)
def test_what_is_made_to_keep_a_parser_busy_is_read_all_the_same(item: str) -> None:
    assert only(parse(rss(item))).title.startswith(("T", "<img"))


# --- statuses


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (300, Reason.STATUS_3XX, "status 300"),
        (401, Reason.STATUS_4XX, "wants a login"),
        (404, Reason.STATUS_4XX, "nothing at this address"),
        (410, Reason.GONE, "gone for good"),
        (418, Reason.STATUS_4XX, "status 418"),
        (429, Reason.THROTTLED, "fewer requests"),
        (500, Reason.STATUS_5XX, "status 500"),
        (503, Reason.THROTTLED, "not available at present"),
    ],
)
def test_other_statuses_are_errors_in_words(status: int, reason: Reason, words: str) -> None:
    error = failure(RSS_2, status)
    assert (error.reason, error.pause_seconds) == (reason, None)
    assert words in str(error)


@pytest.mark.parametrize(
    ("status", "value", "pause"),
    [
        (429, "120", 120.0),
        (503, "Sun, 01 Mar 2026 12:01:00 GMT", 60.0),
        (429, "9999999", 86_400.0),
        (404, "120", None),
    ],
)
def test_a_pause_that_the_server_asks_for_is_kept_to(status: int, value: str, pause: float | None) -> None:
    assert failure("", status, **{"retry-after": value}).pause_seconds == pause


def test_results_and_errors_can_be_sent_between_processes() -> None:
    document = parse(RSS_2)
    assert pickle.loads(pickle.dumps(document)) == document
    error = pickle.loads(pickle.dumps(failure("", 429, **{"retry-after": "5"})))
    assert (error.reason, error.words, error.pause_seconds) == (Reason.THROTTLED, str(error), 5.0)
