"""`/v1/news`: what matched the caller's subscriptions."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from api.authentication import authenticate, caller
from api.inputs import Name, Since, read_parameters
from api.paging import PageParameters, page_json
from api.services import services
from api.views import article_view
from core.query import QueryError, topic_query
from core.store.news import NewsFilter, news

blueprint = Blueprint("news", __name__, url_prefix="/v1/news")
blueprint.before_request(authenticate)


class ListParameters(PageParameters):
    """Which news are listed."""

    topic: Name | None = None
    since: Since = None


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List articles that matched a present subscription, each once, the latest match first."""
    given = read_parameters(ListParameters)
    which = NewsFilter(given.topic, _canonical(given.topic), given.since)
    with services().store.read() as session:
        page = news(session, caller().account_id, which, given.cursor, given.limit)
    return page_json(page, lambda row: article_view(*row))


def _canonical(topic: str | None) -> str | None:
    """Return the query of a topic; None for what is none, which then only a query can be equal to."""
    try:
        return topic_query(topic) if topic is not None else None
    except QueryError:
        return None
