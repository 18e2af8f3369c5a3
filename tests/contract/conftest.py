"""The same suite over both databases."""

from collections.abc import Iterator

import pytest

from core.store.engine import Store, open_store
from core.store.schema import migrate


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A migrated, empty store."""
    opened = open_store(request.getfixturevalue(f"{request.param}_url"))
    migrate(opened)
    yield opened
    opened.close()
