"""Why articles match, as it is shown."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from api.queries import document_of
from core.query import Aliases, Document, Stretch, Term, limited, marked, parse, terms
from core.store import listings, subscriptions
from core.store.also_in import names_elsewhere
from core.store.models import Delivery, Subscription


def marks_view(title: str, summary: str, found: Iterable[Term]) -> dict[str, Any]:
    """Return a title and a summary in stretches, those marked in which the terms stand."""
    in_title, in_summary = marked(title, summary, found)
    return {"title": _stretches_view(in_title), "summary": _stretches_view(in_summary)}


def terms_view(found: Sequence[Term]) -> list[str]:
    """Return terms as the canonical query has them."""
    return [term.written for term in found]


def delivery_reasons(session: Session, delivery: Delivery, aliases: Aliases) -> dict[str, Any] | None:
    """Return why a delivery was made, by its subscriptions as they are now; None if its version is gone.

    The terms of a subscription are None if it was deleted, or was changed and does not match any more.
    """
    known = listings.articles_with(session, [(delivery.article_id, delivery.version)])
    if delivery.article_id not in known:
        return None
    article, version = known[delivery.article_id]
    elsewhere = names_elsewhere(session, [article.id])
    document = document_of(article, version, elsewhere.get(article.id, ()))
    ids = [id_ for id_, _query in delivery.matched]
    present = subscriptions.by_id(session, delivery.account_id, ids)
    found = {id_: _terms_of(subscription, document, aliases) for id_, subscription in present.items()}
    together = [term for held in found.values() for term in held or ()]
    return marks_view(version.title, version.summary, together) | {
        "subscriptions": [_subscription_view(id_, found.get(id_)) for id_ in ids]
    }


def _terms_of(subscription: Subscription, document: Document, aliases: Aliases) -> list[Term] | None:
    asked = limited(parse(subscription.canonical), subscription.sources, subscription.languages)
    return terms(asked, document, aliases)


def _subscription_view(subscription_id: str, found: list[Term] | None) -> dict[str, Any]:
    return {"id": subscription_id, "terms": None if found is None else terms_view(found)}


def _stretches_view(stretches: Iterable[Stretch]) -> list[dict[str, Any]]:
    return [{"text": stretch.text, "match": stretch.match} for stretch in stretches]
