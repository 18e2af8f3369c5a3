"""Leaders that die or freeze within a poll, and brokers that are away: nothing lost, nothing told twice."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from core.errors import PublishError
from core.message import ArticleMessage
from core.store.engine import Store
from core.store.leases import LeaseLost
from fetcher import outcomes, poller
from tests.contract.desk import Desk, Post, feed, kind_that, posts
from tests.contract.newsroom import Killed, Newsroom, RoutingPublisher
from tests.receiver import Receiver, Respond


@pytest.fixture
def newsroom(store: Store, desk: Desk) -> Newsroom:
    return Newsroom(store, desk)


BEFORE = feed(posts(3), ETag='"before"')
# Three new ones, and one that was changed.
AFTER = feed([*posts(6)[3:], Post("p0", "Post 0, corrected"), *posts(3)[1:]], ETag='"after"')
TOLD = Counter({**{(f"p{number}", 1): 1 for number in range(6)}, ("p0", 2): 1})

Kill = Callable[[Desk, pytest.MonkeyPatch], None]


def dies_after(messages: int) -> Kill:
    """Die with the broker having so many of the messages."""

    def kill(desk: Desk, _patch: pytest.MonkeyPatch) -> None:
        assert isinstance(desk.publisher, RoutingPublisher)
        desk.publisher.dies = messages

    return kill


def dies_in(module: Any, name: str, *, after: bool) -> Kill:
    """Die in the transaction of a step, before or after it."""

    def kill(_desk: Desk, patch: pytest.MonkeyPatch) -> None:
        step = getattr(module, name)

        def killed(*arguments: Any, **more: Any) -> None:
            if after:
                step(*arguments, **more)
            raise Killed

        patch.setattr(module, name, killed)

    return kill


ENDS = {
    "before anything is recorded": dies_in(poller, "record", after=False),
    "with what is new recorded, but not committed": dies_in(poller, "record", after=True),
    "committed, before the first is published": dies_after(0),
    "with half of it published": dies_after(2),
    "with all published, as the broker confirms the last": dies_after(4),
    "with all published, before the source is ticked off": dies_in(outcomes, "succeeded", after=False),
    "with the source ticked off, but not committed": dies_in(outcomes, "succeeded", after=True),
}


def die(desk: Desk, source: str, end: Kill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a leader die in the next poll."""
    with monkeypatch.context() as patch:
        end(desk, patch)
        with pytest.raises(Killed):
            desk.poll_when_due(source)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_what_a_dying_leader_leaves_is_told_by_the_next_and_nothing_twice(
    newsroom: Newsroom, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, end: Kill
) -> None:
    desk, reader = newsroom.desk, newsroom.reader("post")
    source = desk.add(receiver.script("/feed", BEFORE, AFTER))
    desk.poll(source)

    die(desk, source, end, monkeypatch)
    assert desk.source(source).etag == '"before"'

    heir = newsroom.next_leader()
    heir.clock.advance(seconds=10)
    heir.outbox(heir.grant)
    heir.poll_when_due(source)

    assert newsroom.told(reader) == TOLD
    assert all(entry.published for entry in desk.entries().values())
    assert (desk.source(source).etag, desk.source(source).failures) == ('"after"', 0)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_poll_alone_or_the_outbox_alone_finishes_what_was_left(
    newsroom: Newsroom, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, end: Kill
) -> None:
    desk, reader = newsroom.desk, newsroom.reader("post")
    source = desk.add(receiver.script("/feed", BEFORE, AFTER))
    desk.poll(source)
    die(desk, source, end, monkeypatch)

    heir = newsroom.next_leader()
    heir.poll_when_due(source)
    desk.clock.advance(seconds=10)
    heir.outbox(heir.grant)
    assert newsroom.told(reader) == TOLD


def test_a_first_poll_that_dies_tells_no_more_than_a_first_poll_does(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk, reader = newsroom.desk, newsroom.reader("post")
    source = desk.add(receiver.script("/feed", feed(posts(30))))
    dies_after(4)(desk, pytest.MonkeyPatch())
    with pytest.raises(Killed):
        desk.poll(source)

    heir = newsroom.next_leader()
    heir.clock.advance(seconds=10)
    heir.outbox(heir.grant)
    heir.poll_when_due(source)
    assert newsroom.told(reader) == Counter((f"p{number}", 1) for number in range(10))


# --- two leaders at once


def freeze_while_fetching(desk: Desk, meanwhile: Callable[[], None]) -> None:
    """Freeze once the document has arrived."""
    whole = desk.kinds["feed"]

    def parse(*arguments: Any) -> Any:
        meanwhile()
        return whole.parse(*arguments)

    desk.kinds = {**desk.kinds, "feed": kind_that(whole, parse=parse)}


def freeze_while_publishing(desk: Desk, meanwhile: Callable[[], None], *, done: bool) -> None:
    """Freeze before or after the broker has what is new."""
    publisher = desk.publisher
    publish = publisher.publish_many

    def frozen(messages: Sequence[ArticleMessage]) -> list[PublishError | None]:
        if not done:
            meanwhile()
        outcomes = publish(messages)
        if done:
            meanwhile()
        return outcomes

    publisher.publish_many = frozen  # type: ignore[method-assign]


FREEZES: dict[str, Callable[[Desk, Callable[[], None]], None]] = {
    "with the document": freeze_while_fetching,
    "before it publishes": lambda desk, meanwhile: freeze_while_publishing(desk, meanwhile, done=False),
    "before it notes what is published": lambda desk, meanwhile: freeze_while_publishing(
        desk, meanwhile, done=True
    ),
}


@pytest.mark.parametrize("freeze", FREEZES.values(), ids=FREEZES.keys())
def test_a_leader_that_wakes_up_beside_another_doubles_nothing(
    newsroom: Newsroom, receiver: Receiver, freeze: Callable[[Desk, Callable[[], None]], None]
) -> None:
    desk, reader = newsroom.desk, newsroom.reader("post")
    source = desk.add(receiver.script("/feed", BEFORE, AFTER))
    desk.poll(source)
    sleeping = newsroom.next_leader()
    heirs: list[Desk] = []

    def lead_meanwhile() -> None:
        heir = newsroom.next_leader()
        heirs.append(heir)
        heir.poll(source)

    freeze(sleeping, lead_meanwhile)
    with pytest.raises(LeaseLost):
        sleeping.poll_when_due(source)

    assert newsroom.told(reader) == TOLD
    (heir,) = heirs
    heir.clock.advance(seconds=10)
    heir.outbox(heir.grant)
    heir.poll_when_due(source)
    assert newsroom.told(reader) == TOLD
    assert desk.source(source).etag == '"after"'


def test_two_leaders_that_take_turns_by_the_step_double_nothing(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk, reader = newsroom.desk, newsroom.reader("post")
    answers = [feed(posts(count), ETag=f'"{count}"') for count in range(1, 9)]
    source = desk.add(receiver.script("/feed", *answers))
    leaders = [desk]
    for _ in answers:
        leaders.append(newsroom.next_leader())
        for leader in reversed(leaders):
            try:
                leader.poll(source)
                leader.outbox(leader.grant)
            except LeaseLost:
                continue
        desk.clock.advance(minutes=20)
    assert newsroom.told(reader) == Counter((f"p{number}", 1) for number in range(8))


# --- the broker is away


def test_while_the_broker_is_away_the_etag_stays_and_later_everything_is_told_once(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk, reader = newsroom.desk, newsroom.reader("post")
    source = desk.add(receiver.script("/feed", BEFORE, AFTER, AFTER, AFTER, Respond(304)))
    desk.poll(source)
    desk.publisher.refusing = None
    for _ in range(2):
        desk.poll_when_due(source)
        assert (desk.source(source).etag, desk.source(source).last_error) == ('"before"', None)
    assert newsroom.told(reader).total() == 3

    desk.publisher.refusing = set()
    desk.clock.advance(seconds=10)
    desk.outbox(desk.grant)
    assert newsroom.told(reader) == TOLD
    desk.poll_when_due(source)
    assert desk.source(source).etag == '"after"'
    desk.poll_when_due(source)
    asked = [request.header("if-none-match") for request in receiver.requests]
    assert asked == [None, '"before"', '"before"', '"before"', '"after"']
    assert newsroom.told(reader) == TOLD
