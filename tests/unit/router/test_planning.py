"""Who is told of an article."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.digest_schedule import DigestSchedule, Every
from core.store.states import ChannelState, DeliveryState
from core.store.subscriptions import Recipient
from router.planning import SUBSCRIPTIONS_LISTED, by_channel, plan

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOURLY = DigestSchedule(Every.HOUR, time(0, 30), "UTC")
DAILY = DigestSchedule(Every.DAY, time(8), "Europe/Berlin")


def recipient(
    channel: str,
    number: int = 1,
    *,
    updates: bool = False,
    state: ChannelState = ChannelState.ACTIVE,
    account: str = "acc_1",
) -> Recipient:
    return Recipient(f"sub_{number}", f"query {number}", updates, account, channel, "webhook", state)


def test_a_channel_is_told_once_however_many_subscriptions_matched() -> None:
    groups = by_channel([recipient("a", 1), recipient("b", 2), recipient("a", 3)])

    decided = plan(groups, {}, version=1, now=NOW)

    assert [(row.channel_id, row.matched, row.matched_total) for row in decided.deliveries] == [
        ("a", [["sub_1", "query 1"], ["sub_3", "query 3"]], 2),
        ("b", [["sub_2", "query 2"]], 1),
    ]
    assert decided.superseded == []


def test_a_row_has_what_its_channel_needs() -> None:
    (row,) = plan(by_channel([recipient("a", account="acc_9")]), {}, version=4, now=NOW).deliveries
    assert (row.account_id, row.queue, row.event, row.state) == (
        "acc_9",
        "webhook",
        "article.published",
        DeliveryState.PENDING,
    )


@pytest.mark.parametrize(("ordering", "strict"), [("any", False), ("strict", True)])
def test_a_row_says_whether_its_channel_has_a_line(ordering: str, strict: bool) -> None:
    (row,) = plan(by_channel([replace(recipient("a"), ordering=ordering)]), {}, version=1, now=NOW).deliveries
    assert row.strict == strict


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ChannelState.ACTIVE, [DeliveryState.PENDING]),
        (ChannelState.PAUSED, [DeliveryState.HELD]),
        (ChannelState.DISABLED, [DeliveryState.HELD]),
        (ChannelState.UNVERIFIED, []),
    ],
)
def test_a_channels_state_decides(state: ChannelState, expected: list[DeliveryState]) -> None:
    decided = plan(by_channel([recipient("a", state=state)]), {}, version=1, now=NOW)
    assert [row.state for row in decided.deliveries] == expected


@pytest.mark.parametrize("updates", [False, True])
@pytest.mark.parametrize(
    ("told", "version", "if_asked_for"),
    [
        (None, 1, "article.published"),
        (None, 5, "article.published"),
        (1, 2, "article.updated"),
        (1, 1, None),
        (3, 2, None),
    ],
)
def test_newer_versions_are_for_those_who_ask(
    updates: bool, told: int | None, version: int, if_asked_for: str | None
) -> None:
    before = {} if told is None else {"a": told}
    decided = plan(by_channel([recipient("a", updates=updates)]), before, version, NOW)
    expected = if_asked_for if updates or told is None else None
    assert [row.event for row in decided.deliveries] == ([expected] if expected else [])
    assert decided.superseded == (["a"] if expected == "article.updated" else [])


def test_one_subscription_that_asks_for_updates_is_enough() -> None:
    groups = by_channel([recipient("a", 1), recipient("a", 2, updates=True), recipient("a", 3)])
    (row,) = plan(groups, {"a": 1}, version=2, now=NOW).deliveries
    assert (row.event, row.matched_total) == ("article.updated", 3)


def test_an_unverified_channel_supersedes_nothing() -> None:
    groups = by_channel([recipient("a", updates=True, state=ChannelState.UNVERIFIED)])
    decided = plan(groups, {"a": 1}, version=2, now=NOW)
    assert (decided.deliveries, decided.superseded) == ([], [])


def test_only_the_first_subscriptions_are_listed_and_all_counted() -> None:
    (row,) = plan(
        by_channel(recipient("a", number) for number in range(100)), {}, version=1, now=NOW
    ).deliveries
    assert row.matched == [[f"sub_{number}", f"query {number}"] for number in range(SUBSCRIPTIONS_LISTED)]
    assert row.matched_total == 100


def test_nothing_matched() -> None:
    decided = plan(by_channel([]), {"a": 1}, version=2, now=NOW)
    assert (decided.deliveries, decided.superseded) == ([], [])


channels = st.sampled_from("abcde")
recipients = st.lists(
    st.builds(
        recipient,
        channels,
        st.integers(1, 99),
        updates=st.booleans(),
        state=st.just(ChannelState.ACTIVE),
    ),
    max_size=40,
)


@given(recipients, st.dictionaries(channels, st.integers(1, 5)), st.integers(1, 5))
def test_whatever_matched_no_channel_is_told_twice_nor_less_than_it_knows(
    matched: list[Recipient], told: dict[str, int], version: int
) -> None:
    decided = plan(by_channel(matched), told, version, NOW)
    rows = [row.channel_id for row in decided.deliveries]
    assert len(rows) == len(set(rows))
    assert set(decided.superseded) == set(rows) & set(told)
    assert all(told[channel] < version for channel in decided.superseded)
    assert {one.channel_id for one in matched} - set(told) <= set(rows)


@pytest.mark.parametrize(
    ("schedules", "waits"),
    [
        ([None], None),
        ([DAILY], timedelta(hours=19)),
        ([DAILY, HOURLY, DAILY], timedelta(minutes=30)),
        ([DAILY, None], None),
    ],
)
def test_a_channel_is_told_by_the_first_digest_unless_one_is_told_at_once(
    schedules: list[DigestSchedule | None], waits: timedelta | None
) -> None:
    matched = [
        replace(recipient("a", number), schedule=schedule, ordering="strict")
        for number, schedule in enumerate(schedules)
    ]
    (row,) = plan(by_channel(matched), {}, version=1, now=NOW).deliveries
    assert row.digest_at == (NOW + waits if waits else None)
    assert row.strict == (waits is None)  # a digest is in no line
    assert row.matched_total == len(schedules)


def test_an_inbox_has_no_digests() -> None:
    matched = [replace(recipient("a"), schedule=DAILY, queue="inbox")]
    (row,) = plan(by_channel(matched), {}, version=1, now=NOW).deliveries
    assert row.digest_at is None
