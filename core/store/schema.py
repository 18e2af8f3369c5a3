"""Bringing a database to this program's schema, and telling whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.errors import ConfigurationError
from core.store.engine import Store
from core.store.partitions import ensure_partitions_ahead

MIGRATION_LOCK = 0x636C6172696F6E  # any number, the same in all processes ("clarion")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def newest_revision() -> str:
    """Return the revision this program was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("the program was packaged without its migrations")
    return head


def current_revision(store: Store) -> str | None:
    """Return the database's revision, None when it was never migrated."""
    with store.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def migrate(store: Store) -> bool:
    """Bring the schema up to date in one transaction; return whether anything changed.

    Processes that migrate at once wait for each other (an advisory lock on PostgreSQL). Raises
    ConfigurationError for a database of a newer program.
    """
    with store.write() as session:
        connection = session.connection()
        if store.dialect == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        if before == newest_revision():
            return False
        _refuse_newer(before)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    ensure_partitions_ahead(store)
    return True


def require_migrated(store: Store) -> None:
    """Raise ConfigurationError unless the database has exactly this program's schema."""
    current = current_revision(store)
    if current == newest_revision():
        return
    _refuse_newer(current)
    raise ConfigurationError("the database is not migrated: run `clarion migrate` first")


def _refuse_newer(current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise ConfigurationError(f"the database has revision {current}, newer than this program: upgrade it")
