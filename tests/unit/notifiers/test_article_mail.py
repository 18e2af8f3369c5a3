"""Mails of one article or of several: what they say, how they look, and that none is too large."""

import re
from dataclasses import replace

import pytest

from core.clock import ManualClock
from core.egress import EgressPolicy
from core.ids import new_id
from core.mail_links import MailLinks
from core.signing import MailTokens
from notifiers.article_mail import SIZE_LIMIT, ArticlesToMail, MailedArticle, compose, of_notice
from notifiers.channels.base import Transports
from notifiers.mail import Letter
from notifiers.mail_options import MailOptions
from notifiers.rendering import template_environment
from tests.unit.notifiers.examples import NOON, notice

TRANSPORTS = Transports(
    mail=None,
    mail_from="Clarion <news@example.com>",
    templates=template_environment(),
    egress=EgressPolicy(),
    clock=ManualClock(NOON),
    mail_options=MailOptions(links=MailLinks("https://news.example.com", MailTokens("k" * 32))),
)


def mail(*articles: MailedArticle, more: int = 0, more_url: str | None = None) -> ArticlesToMail:
    return ArticlesToMail(
        "dlv_1", new_id("acc"), new_id("ch"), "reader@example.org", articles, more, more_url
    )


def article(
    title: str = "Kubernetes news", *, updated: bool = False, summary: str = "About pods."
) -> MailedArticle:
    return MailedArticle(notice(title, summary=summary).article, updated, ["kubernetes"])


def part(letter: Letter, kind: str) -> str:
    found = letter.message.get_body((kind,))
    assert found is not None
    content: str = found.get_content()
    return content


def test_several_articles_are_one_mail() -> None:
    letter = compose(mail(article("One"), article("Two", updated=True), article("Three")), TRANSPORTS)
    assert letter.message["Subject"] == "3 articles: One"
    for kind in ("plain", "html"):
        content = part(letter, kind)
        places = [content.index(title) for title in ("One", "Two", "Three")]
        assert places == sorted(places)
        assert content.count("Updated") == 1


def test_a_burst_that_was_collapsed_is_one_mail() -> None:
    first, second = notice("One"), notice("Two", queries=("pods",))
    first.also, first.more, first.link = [second], 3, "https://news.example.com"
    letter = compose(of_notice(first, "reader@example.org"), TRANSPORTS)
    assert letter.message["Subject"] == "5 articles: One"
    assert "kubernetes; pods" in part(letter, "plain")
    assert "and 3 more: https://news.example.com" in part(letter, "plain")


def test_what_is_not_listed_is_counted() -> None:
    url = "https://news.example.com/all"
    letter = compose(mail(article("One"), more=12, more_url=url), TRANSPORTS)
    assert letter.message["Subject"] == "13 articles: One"
    for kind in ("plain", "html"):
        assert "and 12 more" in part(letter, kind)
        assert url in part(letter, kind)


@pytest.mark.parametrize("letters", ["word ", "\u65e5\u672c\u8a9e", "\u00fc&<"])
def test_a_mail_of_many_long_articles_stays_small(letters: str) -> None:
    many = [article(f"{number} {letters * 100}", summary=letters * 2_000) for number in range(50)]
    letter = compose(mail(*many), TRANSPORTS)
    assert len(letter.as_bytes()) < SIZE_LIMIT
    assert str(letter.message["Subject"]).startswith("50 articles: 0 ")
    listed = sum(f">{number} " in part(letter, "html") for number in range(50))
    assert listed == 50 or f"and {50 - listed} more" in part(letter, "plain")


def test_one_article_is_told_with_all_its_words() -> None:
    summary = "word " * 700
    letter = compose(mail(article(summary=summary)), TRANSPORTS)
    assert summary.strip() in part(letter, "plain")
    assert summary.strip() in part(letter, "html")


def test_styles_stand_at_the_elements_and_rules_for_dark_and_narrow_screens_in_the_head() -> None:
    html = part(compose(mail(article()), TRANSPORTS), "html")
    assert re.search(r'<a class="button"[^>]* style="[^"]*background: #0b5cad', html)
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "@media (prefers-color-scheme: dark)" in style
    assert "@media (max-width: 480px)" in style
    assert ".around { padding: 24px" not in style
    assert "src=" not in html


def test_a_mail_without_a_reader_has_no_links_to_leave() -> None:
    letter = compose(replace(mail(article()), channel_id=""), TRANSPORTS)
    assert letter.message["List-Unsubscribe"] is None
    assert "nsubscribe" not in part(letter, "html") + part(letter, "plain")


def test_queries_are_named_once_and_not_endlessly() -> None:
    made = notice(queries=(*(f"query {number}" for number in range(30)), "query 1", "x" * 5_000))
    content = part(compose(of_notice(made, "reader@example.org"), TRANSPORTS), "plain")
    assert content.count("query 1;") == 1
    assert "query 19" in content
    assert "query 20" not in content


def test_addresses_of_articles_end_no_attribute() -> None:
    odd = replace(article(), article=article().article | {"url": "https://example.com/\"><b>'`"})
    html = part(compose(mail(odd), TRANSPORTS), "html")
    assert 'href="https://example.com/%22%3E%3Cb%3E%27%60"' in html
