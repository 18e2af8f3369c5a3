"""What the end of a try means for its delivery."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Reason
from core.store.states import DeliveryState
from notifiers.outcome import EXCERPT_CHARACTERS, Attempt, Outcome, conclude, http_outcome
from tests.unit.notifiers.examples import NOON

SCHEDULE = (10, 100, 1_000)


def attempt(number: int, outcome: Outcome) -> Attempt:
    return Attempt("dlv_1", number, NOON, 25, outcome)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (204, None),
        (299, None),
        (100, Reason.PROTOCOL),
        (199, Reason.PROTOCOL),
        (300, Reason.STATUS_3XX),
        (302, Reason.STATUS_3XX),
        (304, Reason.STATUS_3XX),
        (400, Reason.STATUS_4XX),
        (401, Reason.STATUS_4XX),
        (404, Reason.STATUS_4XX),
        (410, Reason.GONE),
        (429, Reason.THROTTLED),
        (500, Reason.STATUS_5XX),
        (502, Reason.STATUS_5XX),
        (503, Reason.THROTTLED),
        (599, Reason.STATUS_5XX),
        (600, Reason.PROTOCOL),
        (0, Reason.PROTOCOL),
    ],
)
def test_statuses(status: int, reason: Reason | None) -> None:
    outcome = http_outcome(status, "words")
    assert (outcome.reason, outcome.status, outcome.excerpt) == (reason, status, "words")
    assert outcome.delivered == (reason is None)


def test_a_success_ends_it() -> None:
    finished = conclude(attempt(2, Outcome(status=204)), SCHEDULE, NOON, random.Random(1))
    assert (finished.state, finished.reason, finished.due_at) == (DeliveryState.DELIVERED, None, None)
    assert (finished.id, finished.attempt, finished.started_at, finished.duration_ms, finished.status) == (
        "dlv_1",
        2,
        NOON,
        25,
        204,
    )


@pytest.mark.parametrize(("number", "seconds"), [(1, 10), (2, 100), (3, 1_000)])
@given(seed=st.integers())
def test_a_failure_is_tried_again_by_the_schedule_give_or_take_a_fifth(
    number: int, seconds: int, seed: int
) -> None:
    outcome = Outcome(Reason.TIMEOUT)
    finished = conclude(attempt(number, outcome), SCHEDULE, NOON, random.Random(seed))
    assert (finished.state, finished.reason) == (DeliveryState.PENDING, Reason.TIMEOUT)
    assert finished.due_at is not None
    assert timedelta(seconds=seconds * 0.8) <= finished.due_at - NOON <= timedelta(seconds=seconds * 1.2)


def test_retries_of_many_do_not_come_together() -> None:
    chance = random.Random(1)
    due = {conclude(attempt(1, Outcome(Reason.DNS)), SCHEDULE, NOON, chance).due_at for _ in range(20)}
    assert len(due) == 20


@pytest.mark.parametrize("number", [4, 5, 100])
def test_after_the_last_retry_it_has_failed(number: int) -> None:
    finished = conclude(attempt(number, Outcome(Reason.DNS)), SCHEDULE, NOON, random.Random(1))
    assert (finished.state, finished.reason, finished.due_at) == (DeliveryState.FAILED, Reason.DNS, None)


def test_without_a_schedule_there_is_one_try() -> None:
    finished = conclude(attempt(1, Outcome(Reason.DNS)), (), NOON, random.Random(1))
    assert finished.state == DeliveryState.FAILED


def test_what_is_refused_for_good_is_not_tried_again() -> None:
    refused = Outcome(Reason.REJECTED, 550, "no such user", permanent=True)
    finished = conclude(attempt(1, refused), SCHEDULE, NOON, random.Random(1))
    assert (finished.state, finished.reason, finished.due_at) == (
        DeliveryState.FAILED,
        Reason.REJECTED,
        None,
    )


@pytest.mark.parametrize(
    ("excerpt", "kept"),
    [
        (None, None),
        ("", None),
        ("words", "words"),
        ("a\0b\ud800", "ab\ufffd"),
        ("x" * 10_000, "x" * EXCERPT_CHARACTERS),
    ],
)
def test_excerpts_are_short_and_can_be_stored(excerpt: str | None, kept: str | None) -> None:
    outcome = Outcome(Reason.STATUS_5XX, 500, excerpt)
    assert conclude(attempt(1, outcome), SCHEDULE, NOON, random.Random(1)).excerpt == kept
