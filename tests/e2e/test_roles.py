"""The roles as separate processes on RabbitMQ and PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tests.e2e.commands import clarion
from tests.e2e.feeds import serve_feed
from tests.e2e.installation import LEASE_SECONDS, Installation, installed, settings
from tests.e2e.producer import EXCHANGE, announce, producer
from tests.e2e.rest import PATIENCE_SECONDS, titles, verified
from tests.receiver import Receiver
from tests.servers import ClarionProcess
from tests.servers.process import wait_until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql]


@pytest.fixture(scope="module")
def started(database_url: str, broker_url: str) -> Iterator[Installation]:
    """An api and two of every other role."""
    with installed(database_url, broker_url) as installation:
        yield installation


@pytest.fixture
def installation(started: Installation) -> Installation:
    """The same, whole again whatever the test before did to it."""
    started.start_missing()
    return started


def test_every_role_refuses_a_database_until_it_is_migrated(postgresql_url: str, broker_url: str) -> None:
    env = settings(postgresql_url, broker_url)
    with ExitStack() as stack:
        roles = [
            stack.enter_context(ClarionProcess(arguments, env))
            for arguments in (["api", "--port", "0"], ["fetcher"], ["router"], ["worker"])
        ]
        for role in roles:
            role.wait(1)
            assert role.errors == "clarion: the database is not migrated: run `clarion migrate` first\n"
    first, second = clarion("migrate", env=env), clarion("migrate", env=env)
    assert (first.code, first.errors, second.code, second.errors) == (0, "", 0, "")
    assert first.output.startswith("The database is now at revision ")
    assert second.output.startswith("The database was already at revision ")


def test_a_feed_arrives_signed_and_once(installation: Installation, receiver: Receiver) -> None:
    rest = installation.rest
    made = [rest.follow(topic, receiver.url + "/hook") for topic in ("falcons", "nests")]
    assert made[0]["channel_id"] == made[1]["channel_id"]
    all_titles = [f"Falcons and their nests {number}" for number in range(8)]
    source = rest.add_source(serve_feed(receiver, all_titles))
    receiver.wait_for(8, PATIENCE_SECONDS, path="/hook")
    serve_feed(receiver, [*all_titles, "Falcons return"])
    rest.fetch(source)
    receiver.wait_for(9, PATIENCE_SECONDS, path="/hook")

    rows = rest.wait_until_finished(made[0]["channel_id"])
    assert {row["state"] for row in rows} == {"delivered"}
    arrived = receiver.requests_for("/hook")
    assert titles(arrived) == sorted([*all_titles, "Falcons return"])
    assert {request.header("webhook-id") for request in arrived} == {row["id"] for row in rows}
    for request in arrived:
        event = verified(request, made[0]["channel"]["secret"])
        assert event["type"] == "article.published"
        both = "nests" in event["data"]["article"]["title"]
        assert len(event["data"]["subscriptions"]) == (2 if both else 1)


def test_every_role_answers_probes(installation: Installation) -> None:
    for member in installation.members:
        base = f"http://127.0.0.1:{member.port}"
        assert requests.get(f"{base}/healthz", timeout=10).json() == {"status": "ok"}
        ready = requests.get(f"{base}/readyz", timeout=10).json()
        assert ready == {"status": "ok", "checks": {"database": "ok", "broker": "ok"}}
        beside = requests.get(f"{base}/v1/sources", timeout=10)
        assert beside.status_code == (401 if member.role == "api" else 404)


def test_articles_of_any_producer_arrive_and_garbage_is_put_aside(
    installation: Installation, receiver: Receiver
) -> None:
    pids = installation.pids
    secret = installation.rest.follow("pottery", receiver.url + "/hook")["channel"]["secret"]
    category = installation.rest.follow("crafts", receiver.url + "/category")
    garbage = [b"\x00\xff not JSON %d" % number for number in range(6)]
    with producer(installation.broker_url) as channel:
        announce(channel, "p0", "Pottery for beginners")
        for body in garbage:
            channel.basic_publish(exchange=EXCHANGE, routing_key="", body=body)
        for number in range(1, 7):
            announce(channel, f"p{number}", f"Pottery, lesson {number}")
        arrived = receiver.wait_for(7, PATIENCE_SECONDS, path="/hook")
        aside = [(properties.headers["reason"], body) for properties, body in taken(channel, len(garbage))]
    assert sorted(aside) == [("not_json", body) for body in garbage]
    articles = [verified(request, secret)["data"]["article"] for request in arrived]
    assert {article["id"] for article in articles} == {f"p{number}" for number in range(7)}
    assert {(article["summary"], *article["categories"]) for article in articles} == {("…", "crafts")}
    receiver.wait_for(7, PATIENCE_SECONDS, path="/category")
    assert len(installation.rest.wait_until_finished(category["channel_id"])) == 7
    assert installation.pids == pids


def taken(channel: Any, count: int) -> list[tuple[Any, bytes]]:
    """Take so many messages from the queue of what could not be read."""
    messages: list[tuple[Any, bytes]] = []

    def take() -> bool:
        _, properties, body = channel.basic_get("clarion.dead", auto_ack=True)
        if body is not None:
            messages.append((properties, body))
        return len(messages) >= count

    assert wait_until(take, PATIENCE_SECONDS), f"{len(messages)} of {count} messages were put aside"
    return messages


def test_an_older_version_that_comes_late_changes_nothing(
    installation: Installation, receiver: Receiver
) -> None:
    rest = installation.rest
    rest.follow("weaving", receiver.url + "/hook", updates=True)
    with producer(installation.broker_url) as channel:
        announce(channel, "w", "Weaving, as first written", version=1)
        receiver.wait_for(1, PATIENCE_SECONDS, path="/hook")
        announce(channel, "w", "Weaving, as it ought to be", version=3)
        receiver.wait_for(2, PATIENCE_SECONDS, path="/hook")
        announce(channel, "w", "Weaving, a draft", version=2)
        # Enough that each router has had some after that draft.
        for number in range(30):
            announce(channel, f"w{number}", f"Weaving, pattern {number}")
        arrived = receiver.wait_for(32, PATIENCE_SECONDS, path="/hook")

    events = [(r.json()["type"], r.json()["data"]["article"]) for r in arrived]
    told = [(kind, article["version"]) for kind, article in events if article["id"] == "w"]
    assert told == [("article.published", 1), ("article.updated", 3)]
    (article,) = [row for row in rest.rows("/v1/articles?q=weaving") if row["id"] == "w"]
    assert (article["version"], article["title"]) == (3, "Weaving, as it ought to be")
    versions = rest.get(f"/v1/articles/{article['uid']}")["versions"]
    assert [version["version"] for version in versions] == [3, 1]


def test_another_fetcher_takes_over_from_a_leader_that_died(
    installation: Installation, receiver: Receiver
) -> None:
    rest = installation.rest
    assert wait_until(lambda: rest.leader() is not None, PATIENCE_SECONDS, 0.1)
    before = rest.leader()
    installation.leading_fetcher().kill()
    assert wait_until(lambda: rest.leader() not in (before, None), LEASE_SECONDS + 10, 0.1)
    fetchers = [row for row in rest.get("/v1/cluster")["instances"] if row["role"] == "fetcher"]
    assert [row["id"] for row in fetchers if row["leader"]] == [rest.leader()]

    rest.follow("glaciers", receiver.url + "/hook")
    source = rest.add_source(serve_feed(receiver, ["Glaciers move"]))
    assert titles(receiver.wait_for(1, PATIENCE_SECONDS, path="/hook")) == ["Glaciers move"]
    assert rest.get(f"/v1/sources/{source}")["last_error"] is None


def test_every_role_ends_with_0_when_it_is_told_to(installation: Installation) -> None:
    for member in installation.members:
        member.process.terminate(expect=0, timeout=10)
        assert "Traceback" not in member.process.errors
    assert installation.pids == [None] * len(installation.members)
