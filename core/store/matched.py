"""Asking the ledger which subscriptions its deliveries were made for."""

from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from sqlalchemy.sql import column

from core.store.models import Delivery, Subscription


def matched_by(session: Session, subscription_id: str) -> ColumnElement[bool]:
    """Return the condition for deliveries that a subscription matched."""
    pairs, matched_id = _matched_ids(session, Delivery)
    return (
        select(literal(1))
        .select_from(pairs)
        .where(matched_id == subscription_id)
        .correlate(Delivery)
        .exists()
    )


def matched_one_of(
    session: Session, delivery: Any, *subscriptions: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Return the condition for deliveries matched by a subscription that exists and meets all conditions.

    `delivery` is `Delivery` or an alias of it.
    """
    pairs, matched_id = _matched_ids(session, delivery)
    living = select(literal(1)).select_from(pairs).join(Subscription, Subscription.id == matched_id)
    return living.where(*subscriptions).correlate(delivery).exists()


def _matched_ids(session: Session, delivery: Any) -> tuple[Any, ColumnElement[str]]:
    """Return what a delivery matched as a table, and the subscription's id in it."""
    if session.get_bind().dialect.name == "postgresql":
        pairs = func.jsonb_array_elements(delivery.matched).table_valued(column("value", JSONB))
        return pairs, pairs.c.value[0].astext
    pairs = func.json_each(delivery.matched).table_valued("value")
    return pairs, func.json_extract(pairs.c.value, "$[0]")
