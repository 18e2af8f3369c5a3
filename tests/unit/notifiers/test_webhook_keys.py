"""What becomes of a webhook's keys when one is replaced, as time passes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import rfc3339
from core.errors import FieldError
from notifiers.webhook_keys import MOST_PREVIOUS, carried, keys_of, new_key, public_key, rotated

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
GIVEN = "whsec_" + "QUJD" * 11


def webhook(scheme: Any = "v1") -> dict[str, Any]:
    return {"url": "https://example.com/", "headers": {}, **new_key(scheme, None)}


def secrets_in(config: dict[str, Any]) -> list[str]:
    return [entry["secret"] for entry in config.get("previous", [])]


def test_the_replaced_secret_is_kept_for_as_long_as_wanted() -> None:
    before = webhook()
    after = rotated(before, None, NOON, DAY)
    assert after["secret"] != before["secret"]
    assert after["previous"] == [{"secret": before["secret"], "until": "2026-03-02T12:00:00Z"}]
    assert (after["url"], after["headers"], after["signature"]) == (before["url"], {}, "v1")


def test_a_replaced_key_pair_is_kept_too() -> None:
    before = webhook("v1a")
    after = rotated(before, None, NOON, DAY)
    assert after["previous"] == [{"private_key": before["private_key"], "until": "2026-03-02T12:00:00Z"}]
    assert public_key(after) not in (None, public_key(before))


def test_without_an_overlap_the_new_secret_holds_at_once() -> None:
    assert "previous" not in rotated(webhook(), None, NOON, timedelta())


def test_replaced_secrets_are_dropped_once_their_time_is_over() -> None:
    first = webhook()
    second = rotated(first, None, NOON, DAY)
    third = rotated(second, None, NOON + DAY - timedelta(seconds=1), DAY)
    assert secrets_in(third) == [second["secret"], first["secret"]]
    fourth = rotated(third, None, NOON + DAY, DAY)
    assert secrets_in(fourth) == [third["secret"], second["secret"]]


def test_the_newest_three_are_kept() -> None:
    made = [webhook()]
    for minute in range(6):
        made.append(rotated(made[-1], None, NOON + timedelta(minutes=minute), DAY))
    assert MOST_PREVIOUS == 3
    assert secrets_in(made[-1]) == [config["secret"] for config in made[-2:-5:-1]]


def test_a_secret_may_be_given() -> None:
    before = webhook()
    after = rotated(before, GIVEN.rstrip("="), NOON, DAY)
    assert after["secret"] == GIVEN
    assert secrets_in(after) == [before["secret"]]


def test_the_present_secret_again_changes_nothing() -> None:
    once = rotated(webhook(), GIVEN, NOON, DAY)
    assert rotated(once, GIVEN, NOON + timedelta(minutes=1), DAY) == once


def test_going_back_to_the_secret_before_signs_with_it_once() -> None:
    first = rotated(webhook(), GIVEN, NOON, timedelta())
    second = rotated(first, None, NOON, DAY)
    back = rotated(second, GIVEN, NOON, DAY)
    assert (back["secret"], secrets_in(back)) == (GIVEN, [second["secret"]])


@pytest.mark.parametrize(("scheme", "secret"), [("v1", "whsec_short"), ("v1", "swordfish!"), ("v1a", GIVEN)])
def test_secrets_that_are_refused(scheme: str, secret: str) -> None:
    with pytest.raises(FieldError) as caught:
        rotated(webhook(scheme), secret, NOON, DAY)
    assert caught.value.field == "secret"
    assert secret not in str(caught.value)


def test_a_change_of_other_fields_keeps_all_keys() -> None:
    stored = rotated(webhook(), None, NOON, DAY)
    changed = carried(stored, webhook() | {"url": "https://example.com/other"}, NOON, DAY)
    assert changed == stored | {"url": "https://example.com/other"}


@pytest.mark.parametrize(("before", "after"), [("v1", "v1a"), ("v1a", "v1")])
def test_a_change_of_the_scheme_is_a_rotation(before: str, after: str) -> None:
    stored, config = webhook(before), webhook(after)
    changed = carried(stored, config, NOON, DAY)
    kept = {name: value for name, value in stored.items() if name in ("secret", "private_key")}
    assert changed == config | {"previous": [kept | {"until": rfc3339(NOON + DAY)}]}
    assert len(keys_of(changed)) == 2


@given(st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from(["rotate", "v1", "v1a"])), max_size=8))
def test_whatever_happens_every_key_signs_for_its_time_or_until_three_came_after_it(
    steps: list[tuple[int, str]],
) -> None:
    config, now = webhook(), NOON
    retired: list[tuple[Any, datetime]] = []
    for minutes, step in steps:
        now += timedelta(minutes=minutes)
        before = keys_of(config)[0][0]
        config = (
            rotated(config, None, now, DAY) if step == "rotate" else carried(config, webhook(step), now, DAY)
        )
        if keys_of(config)[0][0] != before:
            retired.insert(0, (before, now + DAY))
    signing = [key for key, until in keys_of(config) if until is None or until > now]
    assert signing[1:] == [key for key, until in retired[:MOST_PREVIOUS] if until > now]
