"""What `clarion doctor` says of sources."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clarion.commands.doctor import Finding, _sources
from clarion.wiring import Wiring
from core.errors import ConfigurationError, Reason
from core.settings import load_settings
from core.store import host_cooldowns, source_states, sources
from core.store.engine import open_store
from core.store.models import Source
from core.store.schema import migrate
from core.store.sources import NewSource

NOW = datetime.now(UTC)


@pytest.fixture
def wiring(tmp_path: Path) -> Iterator[Wiring]:
    url = f"sqlite:///{tmp_path / 'clarion.db'}"
    made = Wiring(load_settings(database_url=url), "doctor")
    with closing(open_store(url)) as store:
        migrate(store)
    yield made
    made.close()


def add(wiring: Wiring, name: str, due: datetime, **fields: object) -> str:
    with wiring.store.write() as session:
        new = NewSource("feed", f"https://example.com/{name}", name, None, due)
        source, _ = sources.find_or_create(session, None, new, NOW)
        for field, value in fields.items():
            setattr(source, field, value)
        return source.id


def test_sources_are_counted_and_hosts_that_want_rest_are_named(wiring: Wiring) -> None:
    add(wiring, "fine", NOW + timedelta(hours=1))
    add(wiring, "failing", NOW + timedelta(hours=1), failures=3)
    gone = add(wiring, "gone", NOW)
    with wiring.store.write() as session:
        source_states.disable(session, session.get_one(Source, gone), Reason.GONE, "It is gone.", NOW)
        host_cooldowns.cool(session, "feeds.example.com", lambda _times: 3_600, NOW)
    found = _sources(wiring)
    assert found.good
    words = "2 polled, 1 failing, 1 disabled; left alone, as they ask for: feeds.example.com until"
    assert found.words.startswith(words)


def test_sources_that_nobody_polls_in_time_are_a_fault(wiring: Wiring) -> None:
    add(wiring, "late", NOW - timedelta(minutes=11))
    found = _sources(wiring)
    assert (found.good, found.words) == (False, "1 late: 1 polled, 0 failing, 0 disabled")
    assert "CLARION_POLL_THREADS" in found.advice


def test_without_sources_there_is_nothing_to_say(wiring: Wiring) -> None:
    assert _sources(wiring) == Finding(True, "0 polled, 0 failing, 0 disabled")


def test_a_database_that_is_not_migrated_is_said_to_be_so(tmp_path: Path) -> None:
    empty = Wiring(load_settings(database_url=f"sqlite:///{tmp_path / 'empty.db'}"), "doctor")
    with closing(empty.store), pytest.raises(ConfigurationError, match="clarion migrate"):
        _sources(empty)
