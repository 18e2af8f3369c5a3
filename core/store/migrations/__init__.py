"""Alembic migrations; `core.store.schema` runs them."""
