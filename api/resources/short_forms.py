"""`/subscribe`, `/unsubscribe` and `/news`: the whole service for the simplest client."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from api import recent
from api.authentication import authenticate, caller
from api.inputs import Input, Name, Since, read, read_parameters
from api.paging import PageParameters
from api.problems import not_found
from api.queries import CompiledQuery, compile_topic, parse_filter
from api.services import services
from api.transactions import write_settled
from api.views import article_view
from core.store import channels, inbox, subscriptions
from core.store.listings import ArticleRow
from core.store.models import Article, Subscription
from core.store.news import NewsFilter, news
from core.store.partitions import ensure_partition
from core.store.subscriptions import NewSubscription

blueprint = Blueprint("short_forms", __name__)
blueprint.before_request(authenticate)

EARLIER_ARTICLES = 20


class TopicInput(Input):
    """A topic to follow, or to follow no more."""

    topic: Name


class NewsParameters(PageParameters):
    """Which news are listed."""

    topic: Name | None = None
    since: Since = None


@blueprint.post("/subscribe")
def subscribe() -> ResponseReturnValue:
    """Follow a topic in the account's inbox, which gets the latest articles about it at once."""
    topic = compile_topic(read(TopicInput).topic)
    earlier = _earlier(topic)
    articles = [article for article, _version in earlier]
    for day in {article.article_day for article in articles}:
        ensure_partition(services().store, day)
    write_settled(services().store, lambda session: _follow(session, topic, articles))
    services().announcer.announce()
    return {
        "status": "subscribed",
        "topic": topic.text,
        "articles": [article_view(*row) for row in earlier],
    }


@blueprint.post("/unsubscribe")
def unsubscribe() -> ResponseReturnValue:
    """Follow a topic no more."""
    topic = compile_topic(read(TopicInput).topic)
    with services().store.write() as session:
        followed = _followed(session, topic)
        if not followed:
            raise not_found("subscription")
        for subscription in followed:
            subscriptions.remove(session, subscription)
    services().announcer.announce()
    return {"status": "unsubscribed", "topic": topic.text}


@blueprint.get("/news")
def index() -> ResponseReturnValue:
    """List what matched, newest first."""
    given = read_parameters(NewsParameters)
    canonical = compile_topic(given.topic).canonical if given.topic is not None else None
    which = NewsFilter(given.topic, canonical, given.since)
    with services().store.read() as session:
        page = news(session, caller().account_id, which, given.cursor, given.limit)
    return {"articles": [article_view(*row) for row in page.rows]}


def _earlier(topic: CompiledQuery) -> list[ArticleRow]:
    query = parse_filter(topic.canonical, "topic")
    with services().store.read() as session:
        found = recent.search(session, caller().account_id, query, None, None, None, EARLIER_ARTICLES)
    return list(found.rows)


def _follow(session: Session, topic: CompiledQuery, articles: list[Article]) -> None:
    account_id, now = caller().account_id, services().clock.now()
    channel = channels.inbox_of(session, services().box, account_id, now)
    followed = subscriptions.to_topic(session, channel.id, topic.canonical)
    new = NewSubscription(query=topic.text, canonical=topic.canonical, topic=True)
    subscription = followed[0] if followed else subscriptions.add(session, account_id, channel.id, new, now)
    inbox.put_earlier(session, channel, subscription, articles, now)


def _followed(session: Session, topic: CompiledQuery) -> list[Subscription]:
    account_id = caller().account_id
    channel = channels.find_by_target(session, account_id, channels.INBOX, account_id)
    return subscriptions.to_topic(session, channel.id, topic.canonical) if channel else []
