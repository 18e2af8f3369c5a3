"""Heartbeats: which processes run, and when each was last heard of."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.store.models import Instance

BEAT_SECONDS = 5.0
SILENT_AFTER = timedelta(seconds=15)
FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class InstanceInfo:
    """What a process says of itself."""

    id: str
    role: str
    host: str
    version: str
    started_at: datetime


def beat(session: Session, info: InstanceInfo, now: datetime) -> None:
    """Note that a process lives."""
    row = session.get(Instance, info.id)
    if row is None:
        session.add(Instance(**vars(info), last_seen_at=now))
    else:
        row.last_seen_at = now


def leave(session: Session, instance_id: str) -> None:
    """Remove a process that ends in order."""
    session.execute(delete(Instance).where(Instance.id == instance_id))


def alive(session: Session, now: datetime) -> list[str]:
    """Return the ids of the processes heard of lately."""
    recent = select(Instance.id).where(Instance.last_seen_at > now - SILENT_AFTER)
    return list(session.execute(recent).scalars())


def forget_old(session: Session, now: datetime) -> None:
    """Drop rows of processes that died long ago."""
    session.execute(delete(Instance).where(Instance.last_seen_at < now - FORGOTTEN_AFTER))
