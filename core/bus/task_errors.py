"""How both task brokers say no, in Dramatiq's terms."""

from dramatiq.errors import ConnectionClosed


class NotEnqueued(ConnectionClosed):
    """The broker did not take a message, so its deliveries stay with the ledger's sweep."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)  # type: ignore[no-untyped-call]


def refuse_delay(delay: int | None) -> None:
    """Raise ValueError for any delay in milliseconds: waiting belongs in the ledger, as `due_at`."""
    if delay is not None:
        raise ValueError("delayed messages are not supported: set due_at in the ledger instead")
