"""A broker and a database that go away while articles come in, under processes that stay."""

import threading
import time
from collections.abc import Collection, Mapping

import pytest
import requests

from tests.e2e.feeds import serve_feed
from tests.e2e.installation import Installation, installed
from tests.e2e.producer import announce, producer
from tests.e2e.rest import PATIENCE_SECONDS, Rest, titles
from tests.receiver import Receiver, Respond
from tests.servers import PrivatePostgres, PrivateRabbit

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql]

ROLES = ("api", "fetcher", "router", "router", "worker", "worker")
BROKER_AWAY_SECONDS = 8
FOLLOWED = {"/rivers": ["rivers"], "/bridges": ["bridges"], "/both": ["rivers", "bridges"]}
LAST = "Rivers under bridges, the last"


def test_articles_that_come_while_the_broker_is_away_arrive_once_it_is_back(
    private_rabbit: PrivateRabbit, postgresql_url: str, receiver: Receiver
) -> None:
    with installed(postgresql_url, private_rabbit.url, ROLES) as installation:
        rest, pids = installation.rest, installation.pids
        follow_all(rest, receiver)
        source = rest.add_source(serve_feed(receiver, ["Rivers before"]))
        assert_told_once(receiver, {"/rivers": ["Rivers before"], "/both": ["Rivers before"]})

        private_rabbit.settle()
        private_rabbit.stop()
        polls = len(receiver.requests_for("/feed.xml"))
        serve_feed(receiver, ["Rivers before", "Rivers in the feed", "Bridges in the feed"])
        rest.fetch(source)
        posted = post_for(rest, BROKER_AWAY_SECONDS)
        receiver.wait_for(polls + 1, PATIENCE_SECONDS, path="/feed.xml")
        assert [ready(installation, role) for role in ("api", "router")] == [503, 503]
        private_rabbit.start()

        rivers, bridges = ["Rivers before", "Rivers in the feed"], ["Bridges in the feed"]
        told = {"/rivers": rivers + posted, "/bridges": bridges + posted, "/both": rivers + bridges + posted}
        assert_told_once(receiver, told)
        # What were still on its way a second time would be here before this.
        rest.publish("last", LAST)
        assert_told_once(receiver, {hook: [*before, LAST] for hook, before in told.items()})
        assert_delivered_at_first_try(rest, sum(map(len, told.values())) + len(told))
        assert installation.pids == pids


def test_messages_that_wait_while_the_database_is_restarted_are_delivered(
    private_postgres: PrivatePostgres, fresh_broker_url: str, receiver: Receiver
) -> None:
    with installed(private_postgres.url, fresh_broker_url, ROLES) as installation:
        rest, pids = installation.rest, installation.pids
        follow_all(rest, receiver)
        announced: list[str] = []
        for away in (private_postgres.stop, private_postgres.kill):
            answer_again = threading.Event()
            receiver.script("/rivers", Respond(after=answer_again))
            announced += announce_all(fresh_broker_url, len(announced), 1)
            receiver.wait_for(len(announced), PATIENCE_SECONDS, path="/rivers")
            # Now one delivery is in a receiver's hands, and its result can only be written later.
            away()
            announced += announce_all(fresh_broker_url, len(announced), 40)
            assert_refused_for_now(rest)
            answer_again.set()
            private_postgres.start()
            assert_told_once(receiver, dict.fromkeys(FOLLOWED, announced))
        assert_delivered_at_first_try(rest, len(FOLLOWED) * len(announced))
        assert installation.pids == pids


def follow_all(rest: Rest, receiver: Receiver) -> None:
    """Subscribe three webhooks, one of them to both topics."""
    for hook, topics in FOLLOWED.items():
        for topic in topics:
            rest.follow(topic, receiver.url + hook)


def post_for(rest: Rest, seconds: float) -> list[str]:
    """POST an article every now and then for so long; return the titles."""
    until = time.monotonic() + seconds
    posted: list[str] = []
    while time.monotonic() < until:
        posted.append(f"Rivers and bridges {len(posted)}")
        rest.publish(f"posted-{len(posted)}", posted[-1])
        time.sleep(0.2)
    return posted


def announce_all(broker_url: str, first: int, count: int) -> list[str]:
    """Publish articles straight to the exchange; return their titles."""
    announced = [f"Rivers and bridges {number}" for number in range(first, first + count)]
    with producer(broker_url) as channel:
        for title in announced:
            announce(channel, title, title)
    return announced


def ready(installation: Installation, role: str) -> int:
    """Return what the readiness probe of a role says."""
    port = installation.of(role)[0].port
    return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code


def assert_refused_for_now(rest: Rest) -> None:
    """Expect the API to say that it cannot at present, in words that tell clients nothing of the inside."""
    problem = rest.call("POST", "/v1/articles", {"id": "x", "version": 1, "title": "Rivers"}, expect=503)
    assert problem["status"] == 503
    assert "postgres" not in str(problem).lower()


def assert_told_once(receiver: Receiver, told: Mapping[str, Collection[str]]) -> None:
    """Wait until each webhook was told as much as it should be, and expect that it was told just that."""
    for hook, expected in told.items():
        arrived = titles(receiver.wait_for(len(expected), PATIENCE_SECONDS, path=hook))
        assert arrived == sorted(expected)


def assert_delivered_at_first_try(rest: Rest, count: int) -> None:
    """Expect so many deliveries in the ledger, none of which was tried twice."""
    rows = [row for channel in rest.rows("/v1/channels") for row in rest.wait_until_finished(channel["id"])]
    assert {(row["state"], row["attempts"]) for row in rows} == {("delivered", 1)}
    assert len(rows) == count
