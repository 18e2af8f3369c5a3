"""What arrives at a receiver: signed, verified by independent libraries, and the same on every attempt."""

from datetime import timedelta
from typing import Any

from standardwebhooks import Webhook as StandardWebhooks
from svix.webhooks import Webhook as Svix

from core.signing import new_secret
from core.store import channels
from core.store.channels import NewChannel
from core.store.states import ChannelState
from notifiers.delivery import DeliveryService
from notifiers.webhook_keys import rotated
from tests.contract.delivering.workers import Workers, attempts, only, publish, told
from tests.contract.world import SECRET, World
from tests.receiver import Receiver, Request, Respond

TITLE = "Kubernetes: Größe, 東京, naïve 🚀 & <b>"


def verify(request: Request, secret: str = SECRET) -> Any:
    """Return the event, verified as a receiver would that knows nothing of Clarion."""
    headers = {name.lower(): value for name, value in request.headers}
    Svix(secret).verify(request.body, headers)
    return StandardWebhooks(secret).verify(request.body, headers)


def webhook(world: World, config: dict[str, Any]) -> None:
    """Make a webhook of this configuration that is told of Kubernetes."""
    account, now = world.account(), world.clock.now()
    new = NewChannel("webhook", "webhook", config["url"], ChannelState.ACTIVE, config)
    with world.store.write() as session:
        channel = channels.add(session, world.box, account, new, now).id
    world.subscribe(account, channel, "kubernetes")


def test_what_arrives_is_signed_and_verified_by_independent_libraries(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.url + "/hook?token=a%20b", title=TITLE)
    workers.settle()

    (request,) = receiver.requests
    event, row = verify(request), only(world)
    assert (request.method, request.target) == ("POST", "/hook?token=a%20b")
    assert request.header("content-type") == "application/json"
    assert request.header("webhook-id") == row.id
    assert request.header("webhook-timestamp") == str(int(world.clock.now().timestamp()))
    assert (event["type"], event["data"]["article"]["title"]) == ("article.published", TITLE)
    assert [one["query"] for one in event["data"]["subscriptions"]] == ["kubernetes"]


def test_every_attempt_has_the_same_bytes_and_id_and_a_new_timestamp_and_signature(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    told(world, receiver.script("/hook", Respond(500), Respond(503), Respond(204)), title=TITLE)
    workers.settle()
    for _ in range(2):
        world.clock.advance(seconds=121)
        workers.sweep_and_settle()

    requests = receiver.requests
    assert len(requests) == 3
    assert len({request.body for request in requests}) == 1
    assert {request.header("webhook-id") for request in requests} == {only(world).id}
    assert len({request.header("webhook-timestamp") for request in requests}) == 3
    assert len({request.header("webhook-signature") for request in requests}) == 3
    assert verify(requests[0]) == verify(requests[1]) == verify(requests[2])
    assert [(one.number, one.status, one.reason) for one in attempts(world)] == [
        (1, 500, "status_5xx"),
        (2, 503, "throttled"),
        (3, 204, None),
    ]


def test_another_worker_sends_the_same_bytes(world: World, workers: Workers, receiver: Receiver) -> None:
    first, second = workers.start(), workers.start()
    told(world, receiver.script("/hook", Respond(500), Respond(204)), title=TITLE)
    workers.settle(first)
    world.clock.advance(seconds=13)
    workers.sweep_and_settle(second)
    one, two = receiver.requests
    assert (one.body, one.header("webhook-id")) == (two.body, two.header("webhook-id"))


def test_headers_that_an_account_set_are_sent_and_cannot_displace_ours(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    webhook(world, {"url": receiver.url + "/hook", "headers": {"X-Team": "news"}, "secret": SECRET})
    publish(world, "a1")
    workers.settle()
    (request,) = receiver.requests
    assert request.header("x-team") == "news"
    assert verify(request)


def test_during_a_rotation_both_secrets_sign_and_afterwards_the_new_one(
    world: World, workers: Workers, service: DeliveryService, receiver: Receiver
) -> None:
    url, new = receiver.script("/hook", Respond(500), Respond()), new_secret()
    config = {"url": url, "headers": {}, "secret": SECRET}
    webhook(world, rotated(config, new, world.clock.now(), timedelta(seconds=60)))
    publish(world, "a1")
    workers.settle()
    world.clock.advance(seconds=61)
    workers.sweep_and_settle()

    during, after = receiver.requests
    assert len((during.header("webhook-signature") or "").split()) == 2
    assert verify(during, new) == verify(during, SECRET)
    assert len((after.header("webhook-signature") or "").split()) == 1
    assert verify(after, new) == verify(during, new)
