"""Trying a channel out, a few at a time."""

from typing import Any

from api.channel_changes import kind_of
from api.ports import Trial
from api.problems import Problem, conflict
from api.services import Services
from core.store import channels
from core.store.models import Channel
from core.store.states import ChannelState

RETRY_AFTER_SECONDS = 5


def try_channel(services: Services, channel: Channel) -> Trial:
    """Send a sample to a channel, whatever its state, and wait for the answer.

    Raises Problem 409 for an address that is not verified and for the inbox, 429 while too many tests are
    under way. Call it outside of transactions.
    """
    kind = kind_of(services, channel)
    if channel.state == ChannelState.UNVERIFIED:
        raise conflict("The channel's address is not verified yet, so nothing but that is sent to it.")
    config = channels.unseal(services.box, channel)
    if not services.test_slots.acquire(blocking=False):
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise Problem(429, "Too many channels are being tested at this moment.", headers=headers)
    try:
        return services.channel_tester.test(kind.name, config)
    finally:
        services.test_slots.release()


def trial_view(trial: Trial) -> dict[str, Any]:
    """Return what came of a test as it is shown."""
    return {
        "delivered": trial.reason is None,
        "status": trial.status,
        "reason": trial.reason,
        "detail": trial.detail,
        "duration_ms": trial.duration_ms,
        "excerpt": trial.excerpt,
    }
