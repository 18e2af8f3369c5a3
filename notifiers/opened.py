"""Channels as the worker keeps them: decrypted and read once, as long as what is stored does not change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy.orm import Session

from core.signing import SecretBox
from core.store.bulk import BulkStatement
from core.store.channels import unseal_text
from notifiers.channels.base import ChannelKind, Pusher, PushKind, SendKind

CHANNELS_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """What the ledger's work needs to know of a channel."""

    id: str
    kind: str
    state: str
    sealed: str
    rate_limit: float | None
    retry_schedule: list[int] | None
    ordering: str
    collapse_seconds: float | None
    failing_since: datetime | None
    state_reason: str | None = None


_ROWS = BulkStatement(
    f"SELECT {', '.join(ChannelRow.__dataclass_fields__)} FROM channels WHERE id {{among}}",  # noqa: S608
    {"id": "text"},
)


def channel_rows(session: Session, channel_ids: set[str]) -> dict[str, ChannelRow]:
    """Return those of the channels that exist."""
    rows = _ROWS.run(session, [(id_,) for id_ in channel_ids])
    read = _from_text if session.get_bind().dialect.name == "sqlite" else _as_it_is
    return {row[0]: read(row) for row in rows}


def _as_it_is(row: Any) -> ChannelRow:
    return ChannelRow(*row)


def _from_text(row: Any) -> ChannelRow:
    """Read a row of SQLite, which has neither JSON nor times of its own."""
    values = dict(row._mapping)
    values["retry_schedule"] = json.loads(values["retry_schedule"] or "null")
    values["failing_since"] = values["failing_since"] and datetime.fromisoformat(values["failing_since"])
    return ChannelRow(**values)


@dataclass(frozen=True, slots=True)
class Opened:
    """A channel that can be sent to: by the engine if it has a `pusher`, else by its kind's `send`."""

    config: Mapping[str, Any]
    pusher: Pusher | None
    sender: SendKind | None


class UnknownKind(ValueError):
    """A channel of a kind that this program does not have."""


class OpenedChannels:
    """Opens channels by what is sealed in them; safe to call from many threads."""

    def __init__(self, kinds: Mapping[str, ChannelKind], box: SecretBox) -> None:
        self._kinds, self._box = kinds, box
        self._known: dict[str, Opened] = {}

    def open(self, row: ChannelRow) -> Opened:
        """Return the channel; raises UndecryptableSecret, UnknownKind or ValueError."""
        opened = self._known.get(row.sealed)
        if opened is None:
            opened = self._open(row)
            if len(self._known) >= CHANNELS_KEPT:
                self._known.clear()
            self._known[row.sealed] = opened
        return opened

    def _open(self, row: ChannelRow) -> Opened:
        kind = self._kinds.get(row.kind)
        if kind is None:
            raise UnknownKind(f"channels of kind {row.kind} are not known")
        config = unseal_text(self._box, row.sealed)
        if not hasattr(kind, "open"):
            return Opened(config, None, cast(SendKind, kind))
        return Opened(config, cast(PushKind, kind).open(config), None)
