"""The mail that tells of articles: one, or several that came together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.mail_address import wire_form
from core.signing import MailPurpose
from core.store.channels import target_hash
from core.text import shorten
from notifiers.channels.base import Transports
from notifiers.mail import Letter, mail_of
from notifiers.notice import Notice

TEMPLATES = "article"
SIZE_LIMIT = 100_000  # Gmail cuts off what is above 102 kB, and with it the way to unsubscribe
SUMMARY_LIMITS = (4_000, 600, 200, 0)
QUERIES_SHOWN = 20
QUERY_LIMIT = 200
# Escaping for HTML leaves these be in attributes, as it may, but not every mail program reads HTML well.
_UNSAFE_IN_URLS = str.maketrans({"<": "%3C", ">": "%3E", '"': "%22", "'": "%27", "`": "%60"})
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{2,35}", re.ASCII)


@dataclass(frozen=True)
class MailedArticle:
    """An article as mails tell it, JSON-ready, and why it came; in a digest it stands under its `topic`."""

    article: dict[str, Any]
    updated: bool
    queries: Sequence[str]
    topic: str = ""

    def shortened(self, summary_limit: int) -> "MailedArticle":
        """Return it with a summary of at most so many characters."""
        summary = shorten(self.article["summary"], summary_limit) if summary_limit else ""
        return replace(self, article=self.article | {"summary": summary})


@dataclass(frozen=True)
class ArticlesToMail:
    """What one mail tells, to whom; `id` makes its Message-ID.

    `more` counts articles that are not listed, to be found at `more_url`.
    """

    id: str
    account_id: str
    channel_id: str
    address: str
    articles: Sequence[MailedArticle]
    more: int = 0
    more_url: str | None = None


def of_notice(notice: Notice, address: str) -> ArticlesToMail:
    """Return what a mail tells: an article, with those that came with it in a burst, or a digest."""
    return ArticlesToMail(
        notice.id,
        notice.account_id,
        notice.channel_id,
        address,
        [_mailed(one, in_digest=notice.is_digest) for one in notice.told],
        notice.more,
        notice.link,
    )


def _mailed(notice: Notice, *, in_digest: bool) -> MailedArticle:
    queries = [shorten(query, QUERY_LIMIT) for _id, query in notice.subscriptions[:QUERIES_SHOWN]]
    topic = queries[0] if in_digest and queries else ""
    return MailedArticle(notice.article, notice.event == "article.updated", queries, topic)


def compose(mail: ArticlesToMail, transports: Transports) -> Letter:
    """Render a mail under 100 kB: where need be with shorter summaries, at last with fewer articles."""
    for limit in SUMMARY_LIMITS:
        shorter = replace(mail, articles=[one.shortened(limit) for one in mail.articles])
        letter = _addressed(shorter, transports)
        if len(letter.as_bytes()) < SIZE_LIMIT:
            return letter
    kept = max(1, len(mail.articles) // 2)
    if kept == len(mail.articles):
        return letter
    fewer = replace(mail, articles=mail.articles[:kept], more=mail.more + len(mail.articles) - kept)
    return compose(fewer, transports)


def _addressed(mail: ArticlesToMail, transports: Transports) -> Letter:
    links = _links(mail, transports)
    words = {
        "articles": [_words(one) for one in mail.articles],
        "total": len(mail.articles) + mail.more,
        "more": mail.more,
        "more_url": mail.more_url,
        "queries": _queries(mail.articles),
        "unsubscribe_url": links.get(MailPurpose.UNSUBSCRIBE),
        "manage_url": links.get(MailPurpose.MANAGE),
    }
    letter = mail_of(TEMPLATES, mail.id, words, mail.address, transports)
    if not links:
        return letter
    _tell_programs(letter, mail, links[MailPurpose.UNSUBSCRIBE])
    return replace(letter, sender=_return_path(mail, transports) or letter.sender)


def _links(mail: ArticlesToMail, transports: Transports) -> dict[MailPurpose, str]:
    """Return the reader's links; a test of a channel has none, for it is nobody's subscription."""
    links = transports.mail_options.links
    if links is None or not mail.channel_id:
        return {}
    hashed = target_hash("email", mail.address)
    return {
        purpose: links.link(purpose, mail.channel_id, hashed)
        for purpose in (MailPurpose.UNSUBSCRIBE, MailPurpose.MANAGE)
    }


def _tell_programs(letter: Letter, mail: ArticlesToMail, unsubscribe_url: str) -> None:
    """Add what mail programs and providers read."""
    account = mail.account_id.lower()
    domain = wire_form(letter.message["From"].addresses[0].addr_spec).rpartition("@")[2]
    letter.message["List-ID"] = f"<{account}.news.{domain}>"
    letter.message["List-Unsubscribe"] = f"<{unsubscribe_url}>"
    # Also where the link is not https, which RFC 8058 wants: who offers it decides, not who writes it.
    letter.message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter.message["Feedback-ID"] = f"{account}:{TEMPLATES}:clarion"


def _return_path(mail: ArticlesToMail, transports: Transports) -> str | None:
    options = transports.mail_options
    if options.bounce_address is None or options.links is None:
        return None
    hashed = target_hash("email", mail.address)
    return options.links.tokens.return_path(options.bounce_address, mail.channel_id, hashed)


def _words(one: MailedArticle) -> dict[str, Any]:
    source = one.article["source"]
    return one.article | {
        "updated": one.updated,
        "url": one.article["url"] and one.article["url"].translate(_UNSAFE_IN_URLS),
        "language": one.article["language"] if _LANGUAGE.fullmatch(one.article["language"] or "") else None,
        "source_name": source["name"] if source else None,
        "date": _date(one.article["published_at"]),
        "queries": one.queries,
        "topic": one.topic,
    }


def _queries(articles: Iterable[MailedArticle]) -> list[str]:
    return list(dict.fromkeys(query for one in articles for query in one.queries))[:QUERIES_SHOWN]


def _date(published_at: str | None) -> str | None:
    if published_at is None:
        return None
    moment = datetime.fromisoformat(published_at)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"
