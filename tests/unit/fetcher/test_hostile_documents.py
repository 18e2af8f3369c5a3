"""Documents made to hurt their reader, or merely made badly, read in the sandbox with its real limits."""

import operator
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from core.errors import Reason
from fetcher.parsing.confinement import Limits
from fetcher.parsing.sandbox import Sandbox
from fetcher.sources.base import Document, ParsedDocument, SourceError
from fetcher.sources.feed import KIND

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TooSlow(SourceError):
    """Reading took more time than there is."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(1)
    yield made
    made.close()


def rss(inner: str, before: str = "", after: str = "") -> str:
    """Return a feed with one item; `after` its end makes it ill-formed."""
    item = f"<item><title>T</title><link>https://a.example/</link>{inner}</item>"
    channel = f"<channel><title>Site</title>{item}</channel>"
    return f'<?xml version="1.0"?>{before}<rss version="2.0">{channel}</rss>{after}'


def parse(sandbox: Sandbox, document: str | bytes) -> ParsedDocument:
    body = document.encode() if isinstance(document, str) else document
    try:
        return sandbox.parse(KIND, Document("https://site.example/feed", 200, {}, body), NOW)
    except SourceError as error:
        raise (TooSlow if error.reason is Reason.TIMEOUT else SourceError)(*error.args) from error


def refusal(sandbox: Sandbox, document: str | bytes) -> SourceError:
    with pytest.raises(SourceError) as raised:
        parse(sandbox, document)
    return raised.value


def laughs(reference: str) -> str:
    levels = [f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(30)]
    return rss(reference, f'<!DOCTYPE rss [<!ENTITY l0 "{"ha" * 50}">{"".join(levels)}]>')


ATTRIBUTES = " ".join(f'a{number}="{number}"' for number in range(80_000))
AUTHOR = "a" * 32_000

BUSY = {
    "billion laughs": lambda: laughs("<description>&l30;</description>"),
    "billion laughs in an attribute": lambda: laughs('<enclosure url="&l30;" type="image/png"/>'),
    "80,000 attributes": lambda: rss(f"<enclosure {ATTRIBUTES}/>"),
    "80,000 attributes, ill-formed": lambda: rss(f"<enclosure {ATTRIBUTES}/>", after="<"),
    "200,000 nested tags": lambda: rss("<a>" * 200_000 + "</a>" * 200_000),
    "200,000 nested tags in a summary": lambda: rss(f"<description>{'&lt;b&gt;' * 200_000}</description>"),
    "an author for a regular expression": lambda: rss(f"<author>{AUTHOR}@</author>"),
    "an author for a regular expression, ill-formed": lambda: rss(f"<author>{AUTHOR}@</author>", after="<"),
    "a summary of 50 MB": lambda: rss(f"<description>{'x' * 50_000_000}</description>"),
    "three million brackets": lambda: rss(f"<description>{'&lt;' * 3_000_000}</description>"),
    "as many names": lambda: rss("".join(f"<n{n}/>" for n in range(100_000))),
}


@pytest.mark.parametrize("make", BUSY.values(), ids=BUSY)
def test_what_is_made_to_keep_a_reader_busy_is_read_or_given_up(
    sandbox: Sandbox, make: Callable[[], str]
) -> None:
    # A slow machine may need more than the 5 s of processor time that there are.
    with suppress(TooSlow):
        (item,) = parse(sandbox, make()).items
        assert (item.title, item.url) == ("T", "https://a.example/")
    assert sandbox.run(operator.add, 1, 1) == 2


def test_what_takes_too_long_is_given_up() -> None:
    sandbox = Sandbox(1, Limits(cpu_seconds=0.5, wall_seconds=100))
    with pytest.raises(TooSlow, match=r"more than 0\.5 s of processor time"):
        parse(sandbox, rss("", after="<item><title>&</title></item>" * 500_000))
    assert parse(sandbox, rss("")).items
    sandbox.close()


@pytest.mark.parametrize("after", ["", "<"])
def test_nothing_outside_of_the_document_is_read(sandbox: Sandbox, after: str) -> None:
    entity = '<!DOCTYPE rss [<!ENTITY outside SYSTEM "file:///etc/passwd">]>'
    document = rss("<description>before &outside; after</description>", entity, after)
    assert "root:" not in parse(sandbox, document).items[0].summary
    include = (
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    )
    (item,) = parse(sandbox, rss(f"<description>{include}</description>", after=after)).items
    assert "root:" not in item.summary


ACTIVE = [
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>link</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>@import 'https://evil.example/'</style>",
    "<scr<script>ipt>alert(1)</script>",
    "<body onload = 'alert(1)'>",
]


def escaped(markup: str) -> str:
    return markup.replace("&", "&amp;").replace("<", "&lt;")


@pytest.mark.parametrize("after", ["", "<"])
@pytest.mark.parametrize("markup", ACTIVE)
def test_no_script_gets_through(sandbox: Sandbox, markup: str, after: str) -> None:
    for written in (escaped(markup), f"<![CDATA[{markup}]]>"):
        document = rss(f"<description>Words {written}</description>", after=after)
        document = document.replace("<title>T<", f"<title>T {written}<")
        (item,) = parse(sandbox, document).items
        for text in (item.title, item.summary):
            assert "<script" not in text.lower()
            assert "onload" not in text
            assert "onerror" not in text
            assert "javascript:" not in text
        assert item.title.startswith("T")
        assert item.summary.startswith("Words")


@pytest.mark.parametrize("after", ["", "<"])
@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " data:text/html,x", "vbscript:x"]
)
def test_no_address_runs_anything(sandbox: Sandbox, address: str, after: str) -> None:
    fields = f"<enclosure url='{address}' type='image/png'/><guid>{address}</guid>"
    document = rss(fields, after=after).replace("https://a.example/", address)
    (item,) = parse(sandbox, document).items
    assert (item.url, item.image) == (None, None)


WORDS = "Žluťoučký kůň — Größe"
RUSSIAN = "Привет, мир"
DECLARED = rss("").replace("<title>T", f"<title>{RUSSIAN}").replace("?>", " encoding='koi8-r'?>")


@pytest.mark.parametrize(
    ("document", "title"),
    [
        (f"<br />\n<b>Warning</b>: fopen() failed in x.php on line 3\n{rss('')}", "T"),
        (f"Deprecated: each() in <b>x.php</b> & more\n{rss('')}", "T"),
        (rss("").removesuffix("</channel></rss>"), "T"),
        (rss("").replace("</title><link>", "</title><link").removesuffix("</item></channel></rss>"), "T"),
        (rss("").replace("<title>T", "<title>caf\xe9").encode("latin-1"), "café"),
        (rss("").replace("<title>T", f"<title>{WORDS}").encode("utf-16"), WORDS),
        (DECLARED.encode("koi8-r"), RUSSIAN),
        (rss("").replace("<title>T", "<title>AT&T & <b>Co</b>"), "AT&T & Co"),
        (rss("").replace("<title>T", "<title>AT&T") + "<", "AT&T"),
        (rss("").replace("<title>T", "<title>Q&amp;A &amp;amp; more"), "Q&A & more"),
        (rss("").replace("<title>T", "<title>Caf&eacute;&nbsp;&LT;3 &what;"), "Café <3 &what;"),
        (rss("").replace("<title>T", "<title><![CDATA[R&D & more]]> &"), "R&D & more &"),
    ],
)  # fmt: skip
def test_what_is_merely_made_badly_is_read(sandbox: Sandbox, document: str | bytes, title: str) -> None:
    assert [item.title for item in parse(sandbox, document).items] == [title]


def test_a_login_page_is_no_feed(sandbox: Sandbox) -> None:
    page = "<!DOCTYPE html><html><head><title>Log in</title></head><body><form></form></body></html>"
    error = refusal(sandbox, page)
    assert (error.reason, str(error)) == (Reason.PROTOCOL, "This is a web page (HTML), not a feed")
