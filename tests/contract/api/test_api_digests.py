"""Digests: schedules of subscriptions, what is shown of them, and having one sent now."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest

from core.digest_schedule import DigestSchedule, Every, next_due
from core.store import channels
from core.store.models import Channel, Delivery
from core.store.states import ChannelState
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client
from tests.contract.api.rows import HOOK

DAILY = {"every": "day", "at": "08:00", "timezone": "Europe/Berlin"}


def subscribe(client: Client, query: str = "python", **fields: Any) -> dict[str, Any]:
    """Make a subscription of a webhook."""
    body = {"query": query, "channel": HOOK, "schedule": DAILY} | fields
    made: dict[str, Any] = ok(client.post("/v1/subscriptions", body), 201)
    return made


def publish(api: Api, client: Client, *titles: str) -> None:
    """Have articles published and routed."""
    for title in titles:
        ok(client.post("/v1/articles", {"id": title, "version": 1, "title": title}), 201)
    api.route()


def rows(client: Client) -> list[dict[str, Any]]:
    """Return the account's deliveries: articles, oldest first, then digests."""
    found: list[dict[str, Any]] = ok(client.get("/v1/deliveries"))["data"]
    return sorted(found, key=lambda row: (row["event"] == "digest", row["id"]))


def due(api: Api) -> datetime:
    """Return when the daily digest is due next."""
    return next_due(DigestSchedule(Every.DAY, time(8), "Europe/Berlin"), api.clock.now())


def shown_time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def pause(api: Api, channel_id: str) -> None:
    with api.store.write() as session:
        channel = session.get_one(Channel, channel_id)
        channels.set_state(session, channel, ChannelState.PAUSED, None, api.clock.now())


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (DAILY, DAILY),
        ({"every": "day"}, {"every": "day", "at": "08:00", "timezone": "UTC"}),
        (
            {"every": "week", "at": "23:59", "timezone": "Asia/Kathmandu", "weekday": "friday"},
            {"every": "week", "at": "23:59", "timezone": "Asia/Kathmandu", "weekday": "friday"},
        ),
        ({"every": "week"}, {"every": "week", "at": "08:00", "timezone": "UTC", "weekday": "monday"}),
        ({"every": "hour"}, {"every": "hour", "at": "00:00", "timezone": "UTC"}),
        ({"every": "hour", "at": "08:15"}, {"every": "hour", "at": "00:15", "timezone": "UTC"}),
        (None, None),
    ],
)
def test_a_schedule_is_shown_as_it_is_meant(
    client: Client, given: dict[str, Any] | None, shown: dict[str, Any] | None
) -> None:
    made = subscribe(client, schedule=given)
    assert made["schedule"] == shown
    path = f"/v1/subscriptions/{made['id']}"
    assert ok(client.get(path))["schedule"] == shown
    assert ok(client.patch(path, {"updates": True}))["schedule"] == shown
    assert ok(client.patch(path, {"schedule": None}))["schedule"] is None
    assert ok(client.patch(path, {"schedule": given}))["schedule"] == shown


@pytest.mark.parametrize(
    ("schedule", "field", "words"),
    [
        (DAILY | {"timezone": "Mars/Olympus"}, "schedule.timezone", "no such time zone"),
        (DAILY | {"timezone": "Europe"}, "schedule.timezone", "such as Europe/Berlin"),
        (DAILY | {"timezone": ""}, "schedule.timezone", "no such time zone"),
        (DAILY | {"timezone": None}, "schedule.timezone", ""),
        (DAILY | {"timezone": "../../etc/passwd"}, "schedule.timezone", "no such time zone"),
        (DAILY | {"at": "8"}, "schedule.at", "such as 08:00"),
        (DAILY | {"at": "24:00"}, "schedule.at", "24-hour clock"),
        (DAILY | {"at": "08:00:00"}, "schedule.at", "such as 08:00"),
        (DAILY | {"at": 8}, "schedule.at", "such as 08:00"),
        (DAILY | {"every": "month"}, "schedule.every", "'hour', 'day' or 'week'"),
        ({"at": "08:00"}, "schedule.every", ""),
        (DAILY | {"weekday": "monday"}, "schedule", "only for what comes every week"),
        (DAILY | {"every": "week", "weekday": "Caturday"}, "schedule.weekday", "monday"),
        (DAILY | {"colour": 1}, "schedule.colour", "unknown field"),
        ("daily", "schedule", ""),
        (False, "schedule", ""),
    ],
)
def test_a_bad_schedule_is_refused_naming_the_field(
    client: Client, schedule: object, field: str, words: str
) -> None:
    body = {"query": "x", "channel": HOOK, "schedule": schedule}
    assert words in str(problem(client.post("/v1/subscriptions", body), 422, field))
    made = subscribe(client)
    path = f"/v1/subscriptions/{made['id']}"
    problem(client.patch(path, {"schedule": schedule}), 422, field)
    assert ok(client.get(path))["schedule"] == DAILY


def test_an_inbox_has_no_digests(client: Client) -> None:
    ok(client.post("/subscribe", {"topic": "python"}))
    (inbox,) = ok(client.get("/v1/subscriptions"))["data"]
    body = {"query": "rust", "channel_id": inbox["channel_id"], "schedule": DAILY}
    problem(client.post("/v1/subscriptions", body), 422, "schedule")
    problem(client.patch(f"/v1/subscriptions/{inbox['id']}", {"schedule": DAILY}), 422, "schedule")


def test_deliveries_show_that_they_wait(api: Api, client: Client) -> None:
    subscribe(client)
    publish(api, client, "python one", "python two")
    instant = shown_time(due(api))
    first, second, digest = rows(client)
    for waiting in (first, second):
        assert (waiting["state"], waiting["event"]) == ("pending", "article.published")
        assert (waiting["digest_at"], waiting["due_at"], waiting["message_id"]) == (instant, instant, None)
    assert (digest["event"], digest["digest_at"], digest["due_at"]) == ("digest", instant, instant)
    assert (digest["article_id"], digest["article_title"]) == (None, None)
    shown = ok(client.get(f"/v1/deliveries/{digest['id']}"))
    assert [(one["delivery_id"], one["article_title"], one["state"]) for one in shown["articles"]] == [
        (second["id"], "python two", "pending"),
        (first["id"], "python one", "pending"),
    ]
    assert "why" not in shown
    assert ok(client.get(f"/v1/deliveries/{first['id']}"))["why"]["subscriptions"]


def test_what_is_part_of_a_digest_is_not_sent_by_itself(api: Api, client: Client) -> None:
    subscribe(client)
    publish(api, client, "python")
    for row in rows(client):
        words = problem(client.post(f"/v1/deliveries/{row['id']}/retry"), 409)["detail"]
        assert "send-digest" in words
    article, digest = rows(client)
    with api.store.write() as session:
        for stored in session.query(Delivery):
            stored.message_id, stored.state = digest["id"], "delivered"
    told = problem(client.post(f"/v1/deliveries/{article['id']}/retry"), 409)["detail"]
    assert digest["id"] in told
    again = ok(client.post(f"/v1/deliveries/{digest['id']}/retry"))
    assert (again["state"], again["message_id"]) == ("pending", digest["id"])


class TestSendingNow:
    """`POST /v1/subscriptions/{id}/send-digest`."""

    def test_what_waits_is_due_at_once(self, api: Api, client: Client) -> None:
        made, other = subscribe(client), subscribe(client, "rust")
        publish(api, client, "python", "rust")
        api.clock.advance(seconds=1)
        now, later = shown_time(api.clock.now()), shown_time(due(api))
        path = f"/v1/subscriptions/{made['id']}/send-digest"
        assert ok(client.post(path), 202) == {"articles": 1, "due_at": now}
        shown = {(row["article_title"], row["digest_at"], row["state"]) for row in rows(client)}
        assert shown == {
            ("python", now, "pending"),
            ("rust", later, "pending"),
            (None, now, "pending"),
            (None, later, "pending"),
        }
        problem(client.post(path), 409)
        ok(client.post(f"/v1/subscriptions/{other['id']}/send-digest", {}), 202)

    def test_nothing_waits(self, api: Api, client: Client) -> None:
        digested, at_once = subscribe(client, "rust"), subscribe(client, schedule=None)
        publish(api, client, "python")
        for made in (digested, at_once):
            words = problem(client.post(f"/v1/subscriptions/{made['id']}/send-digest"), 409)["detail"]
            assert "Nothing waits" in words

    def test_nothing_is_sent(self, api: Api, client: Client) -> None:
        made = subscribe(client)
        publish(api, client, "python")
        pause(api, made["channel_id"])
        words = problem(client.post(f"/v1/subscriptions/{made['id']}/send-digest"), 409)["detail"]
        assert "paused" in words
        assert {row["digest_at"] for row in rows(client)} == {shown_time(due(api))}

    def test_of_nobody_else(self, api: Api, client: Client, other: Client) -> None:
        path = f"/v1/subscriptions/{subscribe(client)['id']}/send-digest"
        publish(api, client, "python")
        problem(other.post(path), 404)
        problem(client.post("/v1/subscriptions/sub_1/send-digest"), 404)
        problem(client.post(path, {"at": "now"}), 422, "at")


@pytest.mark.parametrize("state", [ChannelState.ACTIVE, ChannelState.PAUSED])
def test_another_schedule_moves_what_waits(api: Api, client: Client, state: ChannelState) -> None:
    made = subscribe(client)
    publish(api, client, "python")
    if state == ChannelState.PAUSED:
        pause(api, made["channel_id"])
    path = f"/v1/subscriptions/{made['id']}"
    hourly = next_due(DigestSchedule(Every.HOUR, time(0, 30), "UTC"), api.clock.now())
    ok(client.patch(path, {"schedule": {"every": "hour", "at": "00:30"}}))
    article = rows(client)[0]
    assert article["digest_at"] == shown_time(hourly)
    assert {row["state"] for row in rows(client)} == {"pending" if state == ChannelState.ACTIVE else "held"}
    assert shown_time(hourly) in {row["digest_at"] for row in rows(client) if row["event"] == "digest"}

    now = shown_time(api.clock.now())
    ok(client.patch(path, {"schedule": None}))
    assert rows(client)[0]["digest_at"] == now
    api.clock.advance(hours=1)
    ok(client.patch(path, {"query": "python", "schedule": None}))
    assert rows(client)[0]["digest_at"] == now  # the schedule is what it was


def test_a_week_is_far_ahead(api: Api, client: Client) -> None:
    yesterday = (api.clock.now() - timedelta(days=1)).strftime("%A").lower()
    subscribe(client, schedule={"every": "week", "weekday": yesterday})
    publish(api, client, "python")
    assert len(rows(client)) == 2
