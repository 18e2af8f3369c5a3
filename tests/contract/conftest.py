"""The same suite over both databases."""

from collections.abc import Iterator

import pytest

from core.egress import guarded_session
from core.store import leases
from core.store.engine import Store, open_store
from core.store.models import Base
from core.store.schema import migrate
from tests.contract.desk import OPEN, Desk


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def migrated_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A migrated database, one for all tests of a module: making one takes longer than most tests."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'clarion.db'}"
    else:
        url = request.getfixturevalue("database_url")
    opened = open_store(url)
    migrate(opened)
    yield opened
    empty(opened)  # others share the database, and could not read this one's secrets
    opened.close()


@pytest.fixture
def store(migrated_store: Store) -> Store:
    """A migrated store with nothing in it."""
    empty(migrated_store)
    return migrated_store


def empty(store: Store) -> None:
    """Delete every row."""
    with store.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """A leader's poller over a store with nothing in it."""
    grant = leases.acquire(store, "leader", "me", 600)
    assert grant is not None
    with guarded_session(OPEN, user_agent="Clarion test", resolver=lambda *_: ["127.0.0.1"]) as session:
        yield Desk(store, session, grant)
