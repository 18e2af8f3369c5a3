"""Lists of sources as OPML: read whatever readers write, written so that it reads the same."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.opml import FOLDER_LIMIT, Outline, write_opml
from api.opml_reading import MOST_SOURCES, TITLE_LIMIT, UnreadableOpml, read_opml
from core.text import one_line

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIST = b"""<?xml version="1.0" encoding="UTF-8"?>
<opml version="1.0">
  <head><title>Mine</title></head>
  <body>
    <outline text="Top" xmlUrl="https://top.example/feed"/>
    <outline text="Tech">
      <outline text="Blogs" title="Web logs">
        <outline type="rss" text="Ann &amp; Bob" title="Ann" xmlUrl=" https://ann.example/feed?a=1&amp;b=2 "/>
      </outline>
      <outline type="hackernews" text="HN" xmlUrl="https://hn.example/v0/topstories.json"/>
    </outline>
    <outline text="A note without an address"/>
  </body>
</opml>
"""


def listed(body: str, head: str = "") -> list[Outline]:
    read = read_opml(f"{head}<opml version='2.0'><body>\n{body}\n</body></opml>".encode())
    assert read.damage is None
    return list(read.outlines)


def only(attributes: str) -> Outline:
    (outline,) = listed(f"<outline {attributes}/>")
    return outline


def test_sources_are_read_with_their_folders_and_lines() -> None:
    assert read_opml(LIST).outlines == (
        Outline("https://top.example/feed", "Top", "", "", 5),
        Outline("https://ann.example/feed?a=1&b=2", "Ann", "Tech/Web logs", "rss", 8),
        Outline("https://hn.example/v0/topstories.json", "HN", "Tech", "hackernews", 10),
    )


def test_blank_lines_before_the_declaration_count_as_lines() -> None:
    assert [one.line for one in read_opml(b"\n\n" + LIST).outlines] == [7, 10, 12]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_the_documents_own_encoding_is_read(encoding: str) -> None:
    declared = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}'?>"
    document = f"{declared}<opml><body><outline text='Köln' xmlUrl='http://k.example/'/></body></opml>"
    (outline,) = read_opml(document.encode(encoding)).outlines
    assert outline.title == "Köln"


@pytest.mark.parametrize(
    ("attributes", "url", "title"),
    [
        ("text='A' xmlUrl='http://a.example/?x=1&y=2&copy=3'", "http://a.example/?x=1&y=2&copy=3", "A"),
        ("text='AT&T &nbsp;&ouml;&#x41;' xmlUrl='u'", "u", "AT&T öA"),
        ("text='&unknown; &amp;amp;' xmlUrl='u'", "u", "&unknown; &amp;"),
        ("TEXT='A' XMLURL='u'", "u", "A"),
        ("title=' A\n  b ' text='other' xmlUrl='u'", "u", "A b"),
        ("xmlUrl='u'", "u", ""),
    ],
)
def test_what_readers_write_is_borne(attributes: str, url: str, title: str) -> None:
    outline = only(attributes)
    assert (outline.url, outline.title) == (url, title)


def test_what_is_too_long_is_cut_and_a_folder_too_deep_is_the_last_that_fits() -> None:
    assert len(only(f"text='{'x' * 5_000}' xmlUrl='u'").title) == TITLE_LIMIT
    deep = "<outline text='0123456789'>" * 5_000 + "<outline xmlUrl='u'/>" + "</outline>" * 5_000
    (outline,) = listed(deep)
    assert FOLDER_LIMIT - 11 < len(outline.folder) <= FOLDER_LIMIT


def test_a_source_that_holds_others_is_no_folder() -> None:
    outer, inner = listed("<outline text='A' xmlUrl='a'><outline text='B' xmlUrl='b'/></outline>")
    assert (outer.folder, inner.folder) == ("", "")


DAMAGED = """<?xml version="1.0"?>
<opml><body>
<outline text="Tech &amp; more" description="all<br/>of it">
  <outline text="Noise" description="<a href="https://b.example">B</a>."
           xmlUrl="https://n.example/?a=1&amp;b=2" type="rss" />
  <outline text="Tech">
    <outline text='Reply' description=""'A podcast'." By us." xmlUrl="https://r.example/"></outline>
  </outline>
  <outline text="Last" xmlUrl="https://l.example/" />
</outline>
<outline text="Top" xmlUrl="https://t.example/"
"""


def test_what_can_be_made_out_of_a_damaged_document_is_taken() -> None:
    read = read_opml(DAMAGED.encode())
    assert read.damage == "not well-formed XML: not well-formed (invalid token), in line 3"
    assert read.outlines == (
        Outline("https://n.example/?a=1&b=2", "Noise", "Tech & more", "rss", 4),
        Outline("https://r.example/", "Reply", "Tech & more/Tech", "", 7),
        Outline("https://l.example/", "Last", "Tech & more", "", 9),
        Outline("https://t.example/", "Top", "", "", 11),
    )


BOMB = (
    '<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<opml><body><outline text='&b;' xmlUrl='u'/></body></opml>"
)
OUTSIDE = (
    '<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<opml><body><outline text='a' xmlUrl='u'>&x;</outline></body></opml>"
)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "no element found"),
        ("<rss><channel/></rss>", "outermost element is <rss>"),
        ("\n<opml><body><outline text='a'>\n</body></opml>", "mismatched tag, in line 3"),
        ("{}", "not well-formed"),
        ("<?xml version='1.0' encoding='klingon'?><opml/>", "encoding"),
        (BOMB, "declares entities"),
        (OUTSIDE, "declares entities"),
    ],
)
def test_what_is_no_opml_is_refused_in_words(document: str, words: str) -> None:
    with pytest.raises(UnreadableOpml, match=words):
        read_opml(document.encode())


def test_a_list_has_an_end() -> None:
    with pytest.raises(UnreadableOpml, match="10,000"):
        listed("<outline xmlUrl='u'/>" * (MOST_SOURCES + 1))


@given(
    st.binary(max_size=200) | st.text(alphabet="<>&;/ opmlutineURLxy='\"!?[]-", max_size=80).map(str.encode)
)
def test_no_document_breaks_the_reader(document: bytes) -> None:
    for candidate in (document, b"<opml>" + document):
        with suppress(UnreadableOpml):
            read_opml(candidate)


_LINES = st.text(min_size=1, max_size=30).map(one_line).filter(bool)
_NAMES = _LINES.map(lambda name: one_line(name.replace("/", ""))).filter(bool)
_FOLDERS = st.lists(_NAMES, max_size=3).map("/".join)
_OUTLINES = st.builds(
    Outline,
    url=st.integers(0, 99).map("https://a.example/feed?x=1&y=<{}>".format),
    title=_LINES,
    folder=_FOLDERS,
    type=st.sampled_from(["rss", "newsapi"]),
)


@given(st.lists(_OUTLINES, max_size=12))
def test_what_is_written_reads_the_same(outlines: list[Outline]) -> None:
    read = read_opml(write_opml(outlines, "Mine & <yours>", NOW).encode()).outlines
    again = [Outline(one.url, one.title, one.folder, one.type) for one in read]
    assert Counter(again) == Counter(outlines)


def test_a_written_document_is_opml_2() -> None:
    document = write_opml([Outline("u", "A", "Tech/Blogs", "rss"), Outline("v", "B", "Tech")], "Mine", NOW)
    assert document == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<opml version="2.0">\n'
        "<head><title>Mine</title><dateCreated>Sun, 01 Mar 2026 12:00:00 GMT</dateCreated></head>\n"
        "<body>\n"
        '<outline text="Tech">\n'
        '<outline type="rss" text="B" title="B" xmlUrl="v"/>\n'
        '<outline text="Blogs">\n'
        '<outline type="rss" text="A" title="A" xmlUrl="u"/>\n'
        "</outline>\n"
        "</outline>\n"
        "</body>\n"
        "</opml>\n"
    )
