"""What the end of a try means for its delivery."""

import random
from datetime import UTC, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.egress.exchange import PushAnswer
from core.errors import Reason
from core.store.states import DeliveryState
from notifiers.outcome import (
    EXCERPT_CHARACTERS,
    IMPATIENT_WAIT,
    LONGEST_WAIT,
    PATIENT_TRIES,
    Next,
    Outcome,
    conclude,
    http_outcome,
    push_outcome,
    retry_after,
    stored_excerpt,
)
from tests.unit.notifiers.examples import NOON

SCHEDULE = (10, 100, 1_000)


def concluded(
    outcome: Outcome, step: int = 0, attempts: int = 0, schedule: tuple[int, ...] = SCHEDULE, seed: int = 1
) -> Next:
    return conclude(
        outcome, step=step, attempts=attempts, schedule=schedule, now=NOON, chance=random.Random(seed)
    )


# --- classifying


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
    assert outcome.permanent == (status == 410)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (PushAnswer(204), Outcome(status=204)),
        (PushAnswer(200, excerpt=b"\xffok"), Outcome(status=200, excerpt="\ufffdok")),
        (PushAnswer(500, excerpt=b"no"), Outcome(Reason.STATUS_5XX, 500, "no")),
        (PushAnswer(reason=Reason.DNS, detail="no such host"), Outcome(Reason.DNS, excerpt="no such host")),
        # What broke off may not have been read by the receiver either.
        (PushAnswer(200, Reason.RESET, detail="cut"), Outcome(Reason.RESET, 200, "cut")),
        (PushAnswer(410, Reason.TIMEOUT), Outcome(Reason.TIMEOUT, 410)),
        (PushAnswer(detail="no answer"), Outcome(Reason.PROTOCOL, excerpt="no answer")),
        (PushAnswer(429, retry_after="7"), Outcome(Reason.THROTTLED, 429, wait=timedelta(seconds=7))),
        (PushAnswer(503, retry_after="soon"), Outcome(Reason.THROTTLED, 503)),
        (PushAnswer(500, retry_after="7"), Outcome(Reason.STATUS_5XX, 500)),
        (PushAnswer(301, retry_after="7"), Outcome(Reason.STATUS_3XX, 301)),
    ],
)
def test_what_comes_of_a_push(answer: PushAnswer, expected: Outcome) -> None:
    assert push_outcome(answer, NOON) == expected


# --- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("1", 1),
        ("0000000000000007", 7),
        ("86400", 86_400),
        ("86401", 86_400),
        ("9" * 9, 86_400),
        ("9" * 10, 86_400),
        ("9" * 5_000, 86_400),
        ("0", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e18", None),
        ("NaN", None),
        ("Infinity", None),
        ("garbage", None),
        ("", None),
        (" ", None),
        ("5, 7", None),
        ("\u0665", None),  # an Arabic-Indic five
        ("\u00b2", None),  # a superscript two
        ("5\0", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30),
        ("Sun, 01 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None),
        ("Tue, 01 Mar 2099 12:00:00 GMT", 86_400),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
        ("Sun, 00 Mar 2026 12:00:30 GMT", None),
        ("Sun, 31 Feb 2026 12:00:30 GMT", None),
        ("Sun, 01 Mar 2026 25:00:30 GMT", None),
        ("Sun, 01 Mar 99999999999 12:00:30 GMT", None),
        ("Sun, 01 Mar 2026 12:00:30 +99999999999", None),
        ("Mar", None),
        (", ,", None),
    ],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    assert retry_after(value, NOON) == (None if seconds is None else timedelta(seconds=seconds))


dates = st.datetimes(timezones=st.just(UTC)).map(format_datetime)
pieces = st.lists(
    st.sampled_from(["Sun", ",", " ", "01", "Mar", "2026", "12:00:30", "-", "+", "GMT", "9" * 20, ":", "."]),
    max_size=12,
).map("".join)


@given(st.text() | dates | pieces | st.integers().map(str) | st.floats().map(str))
def test_whatever_a_receiver_asks_for_the_wait_is_more_than_nothing_and_a_day_at_most(value: str) -> None:
    wait = retry_after(value, NOON)
    assert wait is None or timedelta(0) < wait <= LONGEST_WAIT


# --- concluding


def test_a_success_ends_it() -> None:
    assert concluded(Outcome(status=204), step=2, attempts=5) == Next(DeliveryState.DELIVERED, None, 2)


@pytest.mark.parametrize(("step", "seconds"), [(0, 10), (1, 100), (2, 1_000)])
@given(seed=st.integers())
def test_a_failure_is_tried_again_by_the_schedule_give_or_take_a_fifth(
    step: int, seconds: int, seed: int
) -> None:
    following = concluded(Outcome(Reason.TIMEOUT), step, step, seed=seed)
    assert (following.state, following.step) == (DeliveryState.PENDING, step + 1)
    assert following.due_at is not None
    assert timedelta(seconds=seconds * 0.8) <= following.due_at - NOON <= timedelta(seconds=seconds * 1.2)


def test_retries_of_many_do_not_come_together() -> None:
    assert len({concluded(Outcome(Reason.DNS), seed=seed).due_at for seed in range(20)}) == 20


@pytest.mark.parametrize("step", [3, 4, 100])
def test_after_the_last_retry_it_has_failed(step: int) -> None:
    assert concluded(Outcome(Reason.DNS), step, step) == Next(DeliveryState.FAILED, None, step)


def test_without_a_schedule_there_is_one_try() -> None:
    assert concluded(Outcome(Reason.DNS), schedule=()) == Next(DeliveryState.FAILED, None, 0)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Reason.REJECTED, 550, "no such user", permanent=True),
        Outcome(Reason.GONE, 410, permanent=True),
        Outcome(Reason.THROTTLED, 429, permanent=True, wait=timedelta(seconds=5)),
    ],
)
def test_what_is_refused_for_good_is_not_tried_again(outcome: Outcome) -> None:
    assert concluded(outcome) == Next(DeliveryState.FAILED, None, 0)


@pytest.mark.parametrize("step", [0, 2, 3, 10])
def test_a_wait_that_was_asked_for_is_kept_to_the_second_and_takes_no_place_in_the_schedule(
    step: int,
) -> None:
    asked = Outcome(Reason.THROTTLED, 429, wait=timedelta(seconds=7))
    assert concluded(asked, step, step) == Next(DeliveryState.PENDING, NOON + timedelta(seconds=7), step)


def test_one_that_asks_for_patience_again_and_again_is_asked_less_often() -> None:
    soon = Outcome(Reason.THROTTLED, 429, wait=timedelta(seconds=1))
    late = Outcome(Reason.THROTTLED, 429, wait=timedelta(hours=24))
    assert concluded(soon, attempts=PATIENT_TRIES - 1).due_at == NOON + timedelta(seconds=1)
    assert concluded(soon, attempts=PATIENT_TRIES).due_at == NOON + IMPATIENT_WAIT
    assert concluded(late, attempts=PATIENT_TRIES).due_at == NOON + timedelta(hours=24)


def test_throttled_without_a_wait_goes_by_the_schedule() -> None:
    following = concluded(Outcome(Reason.THROTTLED, 503))
    assert (following.state, following.step) == (DeliveryState.PENDING, 1)


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
    assert stored_excerpt(excerpt) == kept
