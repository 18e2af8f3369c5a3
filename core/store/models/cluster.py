"""Which processes there are, and which of them leads."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from core.store.models.base import Base
from core.store.types import Identifier, Number


class Lease(Base):
    """Who leads, until when, under which fencing token."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Identifier, primary_key=True)
    holder: Mapped[str]
    token: Mapped[int] = mapped_column(Number)
    expires_at: Mapped[datetime]


class Instance(Base):
    """A running process and when it was last heard of."""

    __tablename__ = "instances"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    role: Mapped[str]
    host: Mapped[str]
    version: Mapped[str]
    started_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
