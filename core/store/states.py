"""The states that rows go through, as they are stored."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    HELD = "held"
    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ChannelState(StrEnum):
    """Whether a channel is sent to."""

    UNVERIFIED = "unverified"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class SourceState(StrEnum):
    """Whether a source is polled; what was merged lives on in another source."""

    ACTIVE = "active"
    DISABLED = "disabled"
    MERGED = "merged"


# Why a channel is paused, where it is not its account that has paused it.
BY_READER = "reader"

# Deliveries that may still be sent.
UNFINISHED = (DeliveryState.HELD, DeliveryState.PENDING, DeliveryState.SENDING)

# The queue of channels that are read, not pushed to: their deliveries are born delivered.
INBOX_QUEUE = "inbox"
