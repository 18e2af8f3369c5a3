"""`/v1/articles`: what was routed, and publishing one's own."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import recent
from api.authentication import authenticate, caller
from api.inputs import Name, Since, read, read_parameters
from api.paging import PageParameters, page_json
from api.problems import not_found
from api.publishing import ArticleInput, publish
from api.queries import parse_filter
from api.services import services
from api.views import article_view, json_ready, timestamp
from core.store import listings, pushed
from core.store.also_in import Elsewhere, also_in
from core.store.articles import newest_versions, source_json
from core.store.listings import ArticleRow, Page, articles_visible_to
from core.store.models import Appearance, Article, ArticleVersion, Entry

blueprint = Blueprint("articles", __name__, url_prefix="/v1/articles")
blueprint.before_request(authenticate)

MOST_VERSIONS = 100
VERSION_FIELDS = (
    "version",
    "title",
    "summary",
    "url",
    "published_at",
    "language",
    "categories",
    "authors",
    "image",
)


class ListParameters(PageParameters):
    """Which articles are listed."""

    q: Annotated[str | None, Field(max_length=10_000)] = None
    source: Name | None = None
    since: Since = None


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List articles; with a query, a page may be short although more pages follow."""
    given = read_parameters(ListParameters)
    query = parse_filter(given.q, "q") if given.q is not None else None
    place = (given.source, given.since, given.cursor, given.limit)
    account_id = caller().account_id
    with services().store.read() as session:
        page: Page[ArticleRow]
        if query is None:
            page = listings.articles(session, account_id, *place)
        else:
            page = recent.search(session, account_id, query, *place)
    return page_json(page, lambda row: article_view(*row))


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Publish an article; the same id and version again changes nothing."""
    done = publish(services(), caller(), read(ArticleInput))
    entry, source = done.entry, done.source
    answer = {
        "uid": entry.article_id,
        "id": entry.producer_id,
        "version": entry.version,
        "source": {"id": source.id, "name": source.name},
    }
    return answer, 201, {"Location": f"/v1/articles/{entry.article_id}"}


@blueprint.get("/<id:article_id>")
def show(article_id: str) -> ResponseReturnValue:
    """Show one article with its versions, newest first, and where else it is told."""
    with services().store.read() as session:
        shown = _routed(session, article_id) or _posted(session, article_id)
    if shown is None:
        raise not_found("article")
    return shown


def _routed(session: Session, article_id: str) -> dict[str, Any] | None:
    visible = articles_visible_to(caller().account_id)
    row = session.execute(newest_versions().where(Article.id == article_id, visible)).one_or_none()
    if row is None:
        return None
    versions = (
        select(ArticleVersion)
        .where(ArticleVersion.article_id == article_id)
        .order_by(ArticleVersion.version.desc())
        .limit(MOST_VERSIONS)
    )
    found = session.execute(versions).scalars()
    return article_view(row[0], row[1]) | {
        "also_in": [_elsewhere_view(place) for place in also_in(session, row[0], visible)],
        "versions": [_version_view(version) for version in found],
    }


def _elsewhere_view(place: Elsewhere) -> dict[str, Any]:
    return {
        "uid": place.uid,
        "source": source_json(place.source_id, place.source_name),
        "url": place.url,
        "first_seen_at": timestamp(place.first_seen_at),
    }


def _posted(session: Session, article_id: str) -> dict[str, Any] | None:
    """Show an article under the uid that it was given before it was routed."""
    entry = pushed.find(session, caller().account_id, article_id)
    if entry is None:
        return None
    appearance = session.get(Appearance, (entry.source_id, entry.producer_id))
    return _routed(session, appearance.article_id) if appearance is not None else _announced(entry)


def _version_view(version: ArticleVersion) -> dict[str, Any]:
    fields = {name: getattr(version, name) for name in VERSION_FIELDS}
    return json_ready(fields | {"routed_at": version.routed_at})


def _announced(entry: Entry) -> dict[str, Any] | None:
    """Show an article that waits in the outbox, before the router has seen it."""
    if entry.message is None:
        return None
    version = {name: entry.message.get(name) for name in VERSION_FIELDS}
    return {
        "id": entry.producer_id,
        "uid": entry.article_id,
        **version,
        "source": entry.message.get("source"),
        "first_seen_at": timestamp(entry.first_seen_at),
        "also_in": [],
        "versions": [version | {"routed_at": None}],
    }
