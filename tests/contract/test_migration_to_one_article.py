"""Articles and subscriptions that an older version wrote, or still writes, on both databases."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import text

from core.clock import ManualClock
from core.store.engine import Store, open_store
from core.store.models import Article, Subscription
from core.store.schema import _config, migrate
from router.service import Router
from tests.contract.test_one_article import appearances, articles, item
from tests.contract.world import NOON, RecordingTasks, World

BEFORE = "0002"
ARTICLE = text(
    "INSERT INTO articles (id, source_key, producer_id, source_id, source_name, version, planned_version, "
    "article_day, first_routed_at, updated_at) VALUES ('art_0', 'external:first', 'first-1', 'first', "
    "'first', 1, 1, '2026-03-01', :now, :now)"
)
VERSION = text(
    "INSERT INTO article_versions (article_id, version, title, summary, categories, authors, routed_at) "
    "VALUES ('art_0', 1, 'Kubernetes news', '', '[]', '[]', :now)"
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def older(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database as the version before left it."""
    store = open_store(request.getfixturevalue(f"{request.param}_url"))
    move_to(store, BEFORE)
    yield store
    store.close()


def move_to(store: Store, revision: str, *, back: bool = False) -> None:
    with store.write() as session:
        config = _config()
        config.attributes["connection"] = session.connection()
        (command.downgrade if back else command.upgrade)(config, revision)


def write_as_before(store: Store) -> None:
    """Store an article, and a subscription, with statements that know nothing of the new columns."""
    now = "2026-03-01T12:00:00.000000Z"
    with store.write() as session:
        session.execute(ARTICLE, {"now": now})
        session.execute(VERSION, {"now": now})
        session.execute(
            text("INSERT INTO accounts (id, name, created_at) VALUES ('acc_1', 'a', :now)"), {"now": now}
        )
        session.execute(
            text(
                "INSERT INTO channels (id, account_id, kind, queue, target_hash, sealed, state, created_at, "
                "updated_at) VALUES ('ch_1', 'acc_1', 'webhook', 'webhook', 'h', 's', 'active', :now, :now)"
            ),
            {"now": now},
        )
        session.execute(
            text(
                "INSERT INTO subscriptions (id, account_id, channel_id, query, topic, canonical, updates, "
                "created_at, updated_at) VALUES ('sub_1', 'acc_1', 'ch_1', 'q', false, 'kubernetes', false, "
                ":now, :now)"
            ),
            {"now": now},
        )


@pytest.mark.parametrize("migrated_first", [False, True])
def test_what_an_older_version_wrote_goes_on_as_it_was(older: Store, migrated_first: bool) -> None:
    if migrated_first:
        migrate(older)
    write_as_before(older)
    migrate(older)
    with older.read() as session:
        article = session.query(Article).one()
        assert (article.page_key, article.page_shared, article.story) == (None, False, None)
        assert session.query(Subscription).one().once_per_story is False

    world = World(older, ManualClock(NOON))
    router = Router(older, RecordingTasks(), world.clock)
    router.handle(item("first", 2))
    router.handle(item("second"))

    assert [(key, version) for key, version, _, _ in articles(world)] == [
        ("external:first", 2),
        ("external:second", 1),
    ]
    assert appearances(world) == []


def test_going_back_keeps_the_articles(older: Store) -> None:
    migrate(older)
    world = World(older, ManualClock(NOON))
    router = Router(older, RecordingTasks(), world.clock)
    router.handle(item("first"))
    router.handle(item("second"))

    move_to(older, BEFORE, back=True)
    migrate(older)

    assert [key for key, _, _, _ in articles(world)] == ["external:first"]
    assert appearances(world) == []
