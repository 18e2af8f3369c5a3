"""What becomes of a message, by how its handler ends; and how long is waited between tries."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bus.backoff import backoff
from core.bus.handling import RETRIES, Rejected, Settlement, Taken, Undecided, settle
from core.errors import PublishError, Unavailable, UnreadableMessage


class Impatient(threading.Event):
    """A stop event that nobody waits for; it is set after so many waits, and keeps how long they were."""

    def __init__(self, waits: int = 1_000) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._left = waits

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self._left -= 1
        return self._left <= 0


def raising(*errors: Exception | None) -> Callable[[bytes], None]:
    left = list(errors)

    def handle(_body: bytes) -> None:
        error = left.pop(0)
        if error is not None:
            raise error

    return handle


def settled(*errors: Exception | None, stop: threading.Event | None = None) -> tuple[Settlement, list[bool]]:
    outages: list[bool] = []
    return settle(raising(*errors), b"", stop or Impatient(), outages.append), outages


def test_a_handler_that_returns_has_taken_the_message() -> None:
    assert settled(None) == (Taken(), [])


def test_an_unreadable_message_is_rejected_at_once_with_its_reason() -> None:
    settlement, _ = settled(UnreadableMessage("not_json", "line 1"))
    assert settlement == Rejected("not_json", "not_json: line 1")


def test_hostile_detail_is_cut_and_made_encodable() -> None:
    settlement, _ = settled(UnreadableMessage("invalid", "\ud800\0" * 5_000))
    assert isinstance(settlement, Rejected)
    assert len(settlement.detail.encode()) < 1_000


def test_an_error_is_tried_again_and_then_rejected() -> None:
    settlement, outages = settled(*[KeyError("x")] * (RETRIES + 1))
    assert settlement == Rejected("handler_error", "KeyError")
    assert outages == []


def test_an_error_that_passes_is_forgotten() -> None:
    assert settled(*[KeyError("x")] * RETRIES, None) == (Taken(), [])


@pytest.mark.parametrize("error", [Unavailable("away"), PublishError("not confirmed")])
def test_a_server_that_is_away_is_waited_for_without_limit(error: Exception) -> None:
    settlement, outages = settled(*[error] * 500, None)
    assert settlement == Taken()
    assert outages == [True] * 500 + [False]


def test_an_outage_does_not_use_up_the_tries_of_an_error() -> None:
    errors = [KeyError("x"), Unavailable("away")] * RETRIES
    assert settled(*errors, None)[0] == Taken()


def test_an_outage_ends_with_a_rejection_too() -> None:
    assert settled(Unavailable("away"), UnreadableMessage("invalid"))[1] == [True, False]


def test_told_to_stop_it_leaves_the_message_undecided() -> None:
    settlement, outages = settled(*[Unavailable("away")] * 9, stop=Impatient(3))
    assert settlement == Undecided()
    assert outages == [True, True, True, False]


@given(st.integers(0, 10_000), st.floats(0.01, 10), st.floats(0.01, 100), st.floats(0, 1))
def test_backoff_stays_between_half_and_whole_of_its_ceiling(
    attempt: int, first: float, most: float, chance: float
) -> None:
    wait = backoff(attempt, first, most, lambda: chance)
    assert min(first, most) / 2 <= wait <= most


@given(st.integers(0, 100))
def test_backoff_never_shrinks_with_more_failures(attempt: int) -> None:
    assert backoff(attempt, 0.2, 10, lambda: 0.5) <= backoff(attempt + 1, 0.2, 10, lambda: 0.5)
