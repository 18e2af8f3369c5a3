"""What chats are sent: within every limit, and nothing in it calls, formats or links but what should."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

import notifiers.channels
from core.registry import discover
from core.text import SUMMARY_LIMIT, TITLE_LIMIT
from notifiers.channels.base import ChannelKind
from notifiers.chat import ChatKind
from notifiers.chat_items import MOST_SHOWN
from notifiers.notice import Notice
from notifiers.rendering import template_environment
from tests.unit.notifiers.examples import notice

TEMPLATES = template_environment()
ALL: dict[str, ChannelKind] = discover(notifiers.channels, "KIND")
KINDS = {name: kind for name, kind in ALL.items() if isinstance(kind, ChatKind)}
CONFIG = {"url": "https://example.com/topic", "token": "1:x", "chat_id": "1", "server": "https://example.com"}
HOSTILE = (
    "<!channel> <script> @everyone @here <@U1> *bold* _x_ `y` ~z~ [a](http://evil.example) </b> & \\ | > #"
)
LINK = "https://news.example.com/?a=1&b=2"


def body(kind: str, made: Notice) -> dict[str, Any]:
    """Return what a kind sends."""
    sent = KINDS[kind].open(CONFIG).body(made, TEMPLATES)
    assert sent == KINDS[kind].open(CONFIG).body(made, TEMPLATES)
    value: dict[str, Any] = json.loads(sent)
    return value | {"bytes": len(sent)}


def burst(count: int, more: int = 0, link: str | None = LINK, **article: Any) -> Notice:
    """Return a message about several articles."""
    fields: dict[str, Any] = {"title": "Title"} | article
    first, *also = [notice(**fields | {"title": f"{fields['title']} {n}"}) for n in range(count)]
    return replace(first, also=also, more=more, link=link)


# --- limits


def check_slack(sent: dict[str, Any]) -> None:
    assert len(sent["blocks"]) <= 50
    assert len(sent["text"]) <= 40_000
    for block in Block.parse_all(sent["blocks"]):
        block.validate_json()
    for block in sent["blocks"]:
        texts = block.get("elements") or [block["text"]]
        assert all(0 < len(text["text"]) <= (150 if block["type"] == "header" else 3_000) for text in texts)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def check_discord(sent: dict[str, Any]) -> None:
    assert sent["allowed_mentions"] == {"parse": []}
    assert len(sent["embeds"]) <= 10
    total = 0
    for embed in sent["embeds"]:
        assert 0 < utf16(embed["title"]) <= 256
        assert utf16(embed["description"]) <= 4_096
        footer = embed.get("footer", {"text": ""})["text"]
        assert utf16(footer) <= 2_048
        total += utf16(embed["title"] + embed["description"] + footer)
    assert total <= 6_000


def check_teams(sent: dict[str, Any]) -> None:
    assert sent["bytes"] <= 28_000


def check_telegram(sent: dict[str, Any]) -> None:
    assert 0 < utf16(sent["text"]) <= 4_096
    assert sent["parse_mode"] == "HTML"


def check_mattermost(sent: dict[str, Any]) -> None:
    assert 0 < len(sent["text"]) <= 16_383


def check_googlechat(sent: dict[str, Any]) -> None:
    assert sent["bytes"] <= 32_000
    assert len(sent["fallbackText"]) <= 4_096


def check_ntfy(sent: dict[str, Any]) -> None:
    assert 0 < len(sent["message"].encode()) <= 4_096
    assert sent["title"]


LIMITS: dict[str, Callable[[dict[str, Any]], None]] = {
    "slack": check_slack,
    "discord": check_discord,
    "teams": check_teams,
    "telegram": check_telegram,
    "mattermost": check_mattermost,
    "googlechat": check_googlechat,
    "ntfy": check_ntfy,
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def check_limits(kind: str, made: Notice) -> dict[str, Any]:
    """Check the limits that are written down here; of a further kind, those that it names itself."""
    sent = body(kind, made)
    known = LIMITS.get(kind)
    if known:
        known(sent)
    else:
        payload = {name: value for name, value in sent.items() if name != "bytes"}
        assert KINDS[kind].fits(payload, sent["bytes"])
    return sent


@each_kind
@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 120])
@pytest.mark.parametrize("character", ["a", "&", "<", "*", "€", "🚀", '"', "\\"])
def test_the_longest_articles_are_within_the_limits(kind: str, count: int, character: str) -> None:
    article: dict[str, Any] = {"title": character * (TITLE_LIMIT - 4), "summary": character * SUMMARY_LIMIT}
    article |= {"url": f"https://example.com/{'&' * 3_900}", "queries": (character * 300,) * 20}
    sent = json.dumps(check_limits(kind, burst(count, **article)), ensure_ascii=False)
    if count > MOST_SHOWN:
        assert "more" in sent


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=TITLE_LIMIT)


@each_kind
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_an_article_says_it_is_within_the_limits(kind: str, data: st.DataObject) -> None:
    drawn = st.builds(lambda title, summary: {"title": f"{title} x", "summary": summary}, texts, texts)
    articles = data.draw(st.lists(drawn, min_size=1, max_size=6))
    first, *also = [notice(**article) for article in articles]
    more = data.draw(st.integers(0, 10**6))
    check_limits(kind, replace(first, also=also, more=more, link=data.draw(st.sampled_from([None, LINK]))))


@each_kind
@pytest.mark.parametrize(("count", "more"), [(1, 5), (3, 0), (20, 0), (120, 0), (20, 100)])
def test_every_article_of_a_burst_is_told_or_counted(kind: str, count: int, more: int) -> None:
    sent = json.dumps(body(kind, burst(count, more, title="Story")), ensure_ascii=False)
    total = count + more
    # Markup may stand between word and number, never within a number.
    shown = sum(f"Story {number}" in sent for number in range(count))
    assert shown == min(count, MOST_SHOWN)
    assert f"{total:,} new articles" in sent
    assert (f"and {total - shown:,} more" in sent) == (total > shown)
    assert (LINK in sent or LINK.replace("&", "&amp;") in sent) == (total > shown or kind == "ntfy")


@each_kind
def test_without_a_public_url_the_rest_is_counted_without_a_link(kind: str) -> None:
    sent = json.dumps(body(kind, burst(20, 12, link=None)))
    assert "and 12 more" in sent
    assert LINK not in sent


@each_kind
def test_one_article_is_shown_with_its_summary_and_what_it_matches(kind: str) -> None:
    queries = ("one", "two", "three", "four")
    sent = json.dumps(body(kind, notice("A title", summary="In short", queries=queries)))
    shown = ("A title", "In short", "The Times of Testing", "one; two; three")
    assert [word for word in shown if word not in sent] == []
    assert "four" not in sent
    assert "new articles" not in sent


@each_kind
@pytest.mark.parametrize("count", [1, 2])
def test_a_newer_version_says_so(kind: str, count: int) -> None:
    assert "Updated: " in json.dumps(body(kind, burst(count, event="article.updated")))


# --- nothing in a title does anything


def test_slack_calls_nobody_and_formats_nothing() -> None:
    for made in (notice(HOSTILE, summary=HOSTILE), burst(2, title=HOSTILE)):
        sent = json.dumps(body("slack", made), ensure_ascii=False)
        assert "<!" not in sent
        assert "<@" not in sent
        assert "<script" not in sent
        assert "&lt;!channel&gt;" in sent
        assert "*bold*" not in sent


def test_slack_links_hold_together() -> None:
    sent = body("slack", notice("a > b | c", url="https://example.com/?a=<b>|c&d=1"))
    text = sent["blocks"][0]["text"]["text"]
    assert text.startswith("*<https://example.com/?a=%3Cb%3E%7Cc&amp;d=1|a &gt; b | c>*")
    assert text.count("<") == text.count(">") == 1


@pytest.mark.parametrize("kind", ["discord", "mattermost"])
def test_markdown_calls_nobody_and_formats_nothing(kind: str) -> None:
    for made in (notice(HOSTILE, summary=HOSTILE), burst(2, title=HOSTILE)):
        sent = body(kind, made)
        text = json.dumps(sent["embeds"], ensure_ascii=False) if kind == "discord" else sent["text"]
        assert "@everyone" not in text
        assert "@here" not in text
        assert "[a](" not in text
        assert not re.search(r"(?<!\\)[<>*_`~]", text.replace("**", ""))


def test_markdown_links_hold_together() -> None:
    sent = body("mattermost", notice("a ] b", url="https://example.com/a_(b)?c=(d)"))
    assert sent["text"].startswith("**[a \\] b](https://example.com/a_%28b%29?c=%28d%29)**")


class Tags(HTMLParser):
    """Collects what is markup."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert all(value and value.startswith("https://") for _name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("kind", ["telegram", "googlechat"])
@pytest.mark.parametrize("count", [1, 2])
def test_html_is_escaped(kind: str, count: int) -> None:
    title = f'{HOSTILE} " onclick="x'
    sent = body(kind, burst(count, title=title, summary=HOSTILE, url='https://example.com/"><b>x'))
    if kind == "telegram":
        texts = [sent["text"]]
    else:
        (section,) = sent["cardsV2"][0]["card"]["sections"]
        texts = [widget["textParagraph"]["text"] for widget in section["widgets"]]
        assert "<" not in sent["fallbackText"]
    read = [Tags(text) for text in texts]
    assert set().union(*(one.tags for one in read)) <= {"a", "b", "i", "br"}
    assert "<!channel> <script> @everyone" in "".join(one.text for one in read)


def test_teams_shows_text_as_it_stands() -> None:
    sent = body("teams", notice(HOSTILE, summary=HOSTILE))
    (attachment,) = sent["attachments"]
    for block in attachment["content"]["body"]:
        assert block["type"] == "RichTextBlock"
        assert {run["type"] for run in block["inlines"]} == {"TextRun"}


def test_what_a_service_needs_besides_the_message_is_there() -> None:
    assert body("ntfy", notice())["topic"] == "topic"
    assert body("ntfy", notice())["click"] == "https://example.com/a?b=1&c=2"
    sent = KINDS["telegram"].open(CONFIG | {"thread_id": 7}).body(notice(), TEMPLATES)
    assert {name: json.loads(sent)[name] for name in ("chat_id", "message_thread_id")} == {
        "chat_id": "1",
        "message_thread_id": 7,
    }
