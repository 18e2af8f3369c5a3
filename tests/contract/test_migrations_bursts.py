"""From the version before bursts were collapsed, and with it beside this one."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Date, Integer, Text, column, insert, table

from core.store import batches, claims, ledger
from core.store.engine import Store
from core.store.partitions import ensure_partition
from core.store.schema import migrate
from core.store.types import Json, UtcDateTime
from tests.contract.test_migrations import differences, move_to, opened

BEFORE = "0005"
DAY = date(2031, 3, 1)
NOW = datetime(2031, 3, 1, 12, 0, tzinfo=UTC)
TEXTS = ("id", "account_id", "channel_id", "queue", "article_id", "event", "state")
NUMBERS = ("version", "matched_total", "attempts", "step", "sequence")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def before(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database of the version before."""
    with opened(request.getfixturevalue(f"{request.param}_url")) as (store,):
        move_to(store, BEFORE)
        ensure_partition(store, DAY)
        yield store


def write_as_before(store: Store, id_: str) -> None:
    """Make a delivery as a router of the version before does."""
    known: dict[str, Any] = dict.fromkeys((*TEXTS, *NUMBERS), 1) | {name: f"{name}_1" for name in TEXTS}
    known |= {"id": id_, "article_id": id_, "state": "pending", "attempts": 0, "step": 0}
    known |= {"article_day": DAY, "matched": [["sub_1", "q"]], "due_at": NOW, "enqueue_after": NOW}
    deliveries = table(
        "deliveries",
        *(column(name, Text()) for name in TEXTS),
        *(column(name, Integer()) for name in NUMBERS),
        *(column(name, UtcDateTime()) for name in ("due_at", "enqueue_after", "created_at")),
        column("article_day", Date()),
        column("matched", Json),
    )
    with store.write() as session:
        session.execute(insert(deliveries), [known | {"created_at": NOW}])


def claimed(store: Store) -> list[tuple[str, str | None]]:
    """Claim what is due; return ids and messages."""
    with store.write() as session:
        found = batches.put(session, ledger.take_due(session, NOW), NOW)
        taken = [claims.claim(session, batch.id, f"c_{batch.id}", "i1", NOW) for batch in found]
    return sorted((row.id, row.message_id) for one in taken if one for row in one[1])


def test_what_is_there_and_what_older_routers_add_is_told_by_itself(before: Store) -> None:
    write_as_before(before, "dlv_before")
    assert migrate(before)
    assert differences(before) == []
    write_as_before(before, "dlv_beside")
    assert claimed(before) == [("dlv_before", None), ("dlv_beside", None)]


def test_it_can_be_taken_back(before: Store) -> None:
    migrate(before)
    write_as_before(before, "dlv_1")
    move_to(before, BEFORE)
    assert migrate(before)
    assert claimed(before) == [("dlv_1", None)]
