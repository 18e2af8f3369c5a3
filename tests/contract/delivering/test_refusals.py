"""What must not be sent after all, though a task message names it."""

import pytest
from sqlalchemy import delete, update

from core.store import channels
from core.store.models import Channel, Delivery
from core.store.states import ChannelState
from tests.contract.delivering.workers import Workers, change, only, publish, told
from tests.contract.world import World
from tests.receiver import Receiver, Respond

pytestmark = pytest.mark.usefixtures("service")


@pytest.mark.parametrize("state", [ChannelState.PAUSED, ChannelState.DISABLED])
@pytest.mark.parametrize("unseen", [False, True], ids=["held", "unseen"])
def test_a_channel_that_was_paused_meanwhile_holds_its_deliveries(
    world: World, workers: Workers, receiver: Receiver, state: ChannelState, unseen: bool
) -> None:
    (channel,) = told(world, receiver.url + "/hook")
    if unseen:
        # By a transaction that did not see the row yet, so that it could not hold it.
        change(world, update(Channel).where(Channel.id == channel).values(state=state))
    else:
        world.set_state(channel, state)
    workers.settle()
    assert (only(world).state, only(world).attempts) == ("held", 0)
    assert receiver.requests == []

    world.set_state(channel, ChannelState.ACTIVE)
    workers.sweep_and_settle()
    assert (only(world).state, only(world).attempts) == ("delivered", 1)


@pytest.mark.parametrize("unseen", [False, True], ids=["cancelled", "unseen"])
def test_what_waits_for_a_deleted_channel_is_not_sent(
    world: World, workers: Workers, receiver: Receiver, unseen: bool
) -> None:
    (channel,) = told(world, receiver.url + "/hook")
    if unseen:
        change(world, delete(Channel).where(Channel.id == channel))
    else:
        with world.store.write() as session:
            channels.remove(session, session.get_one(Channel, channel), world.clock.now())
    workers.settle()
    assert (only(world).state, only(world).reason) == ("cancelled", "channel_deleted")
    assert receiver.requests == []


def test_what_matched_only_deleted_subscriptions_is_not_sent(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    account = world.account()
    channel = world.webhook(account, receiver.url + "/hook")
    first = world.subscribe(account, channel, "kubernetes")
    second = world.subscribe(account, channel, "pods")
    publish(world, "one")
    world.unsubscribe(first)
    workers.settle()
    assert world.states() == [(1, "delivered")]

    publish(world, "two")
    world.unsubscribe(second)
    workers.settle()

    last = world.deliveries()[-1]
    assert (last.state, last.reason, last.attempts) == ("cancelled", "unsubscribed", 0)
    assert last.finished_at is not None
    assert len(receiver.requests) == 1


def test_a_retry_of_what_was_unsubscribed_meanwhile_is_not_sent(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    account = world.account()
    channel = world.webhook(account, receiver.script("/hook", Respond(500)))
    subscription = world.subscribe(account, channel, "kubernetes")
    publish(world, "one")
    workers.settle()
    world.unsubscribe(subscription)
    world.clock.advance(seconds=13)
    workers.sweep_and_settle()
    assert (only(world).state, only(world).reason, only(world).attempts) == ("cancelled", "unsubscribed", 1)
    assert len(receiver.requests) == 1


def test_a_newer_version_cancels_what_waits(world: World, workers: Workers, receiver: Receiver) -> None:
    account = world.account()
    world.subscribe(account, world.webhook(account, receiver.url + "/hook"), "kubernetes", updates=True)
    publish(world, "a1")
    publish(world, "a1", version=2)
    workers.settle()
    assert world.states() == [(1, "cancelled"), (2, "delivered")]
    assert [request.json()["data"]["article"]["version"] for request in receiver.requests] == [2]


def test_a_channel_that_cannot_be_read_harms_itself_only(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    broken, odd, whole = told(world, receiver.url + "/broken", receiver.url + "/odd", receiver.url + "/whole")
    change(world, update(Channel).where(Channel.id == broken).values(sealed="sealed with a lost key"))
    change(world, update(Channel).where(Channel.id == odd).values(kind="removed"))
    workers.settle()
    found = {row.channel_id: (row.state, row.reason) for row in world.deliveries()}
    assert found == {
        broken: ("pending", "misconfigured"),
        odd: ("pending", "misconfigured"),
        whole: ("delivered", None),
    }


def test_what_a_message_names_that_is_not_there_is_left_out(
    world: World, workers: Workers, receiver: Receiver
) -> None:
    gone, here = told(world, receiver.url + "/gone", receiver.url + "/here")
    change(world, delete(Delivery).where(Delivery.channel_id == gone))
    workers.settle()
    assert (only(world).channel_id, only(world).state) == (here, "delivered")
