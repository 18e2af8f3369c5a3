"""Rows of the ledger in whatever state a test begins with."""

from typing import Any

from core.ids import new_id
from core.store.models import Delivery
from core.store.states import DeliveryState
from tests.contract.api.answers import ok
from tests.contract.api.conftest import Api, Client

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}


def webhook(client: Client, path: str = "", **fields: Any) -> str:
    """Make a webhook channel and return its id."""
    body = HOOK | {"url": HOOK["url"] + path} | fields
    channel_id: str = ok(client.post("/v1/channels", body), 201)["id"]
    return channel_id


def delivery(api: Api, client: Client, channel_id: str, state: DeliveryState, **fields: Any) -> str:
    """Add a delivery of an account's channel to the ledger and return its id."""
    now = api.clock.now()
    ended = state in (DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELLED)
    known: dict[str, Any] = {
        "id": new_id("dlv"),
        "article_day": now.date(),
        "account_id": client.account_id,
        "channel_id": channel_id,
        "queue": "webhook",
        "article_id": new_id("art"),
        "version": 1,
        "event": "article.published",
        "matched": [["sub_1", "python"]],
        "matched_total": 1,
        "state": state,
        "attempts": 0,
        "created_at": now,
        "finished_at": now if ended else None,
    }
    row = Delivery(**(known | fields))
    with api.store.write() as session:
        session.add(row)
    return row.id


def stored(api: Api, delivery_id: str) -> Delivery:
    """Return a delivery as it is in the ledger."""
    with api.store.read() as session:
        return session.query(Delivery).filter_by(id=delivery_id).one()
