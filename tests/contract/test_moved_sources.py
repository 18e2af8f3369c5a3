"""Sources that move onto the address of another: one goes on for both, nothing is lost or told twice."""

from collections import Counter

import pytest

from core.store import accounts, articles, source_states, sources
from core.store.engine import Store
from core.store.models import Source
from core.store.sources import NewSource
from tests.contract.desk import Desk, Post, feed, posts
from tests.contract.newsroom import Newsroom
from tests.contract.world import NOON
from tests.receiver import Receiver, Respond, redirect


@pytest.fixture
def newsroom(store: Store, desk: Desk) -> Newsroom:
    return Newsroom(store, desk)


def moved(receiver: Receiver, *answers: Respond) -> tuple[str, str]:
    """Return an old address, and the new one to which it redirects for good."""
    return receiver.script("/old", redirect("/new", 301)), receiver.script("/new", *answers)


def until_merged(desk: Desk, source: str) -> None:
    """Poll a source whose permanent redirect leads to another."""
    for _ in range(2):
        desk.poll_when_due(source)
    assert desk.source(source).state == "merged"


def test_the_source_at_the_new_address_goes_on_for_both(newsroom: Newsroom, receiver: Receiver) -> None:
    desk = newsroom.desk
    old_url, new_url = moved(receiver, feed(posts(1)))
    old, new = desk.add(old_url), desk.add(new_url)
    desk.poll(new)
    until_merged(desk, old)

    gone = desk.source(old)
    assert (gone.merged_into, gone.state_reason, gone.next_poll_at, gone.url) == (new, "moved", None, old_url)
    assert (desk.source(new).state, desk.source(new).url) == ("active", new_url)
    receiver.forget()
    assert desk.poll(old) is None
    assert receiver.requests == []
    assert desk.notices() == []


def test_readers_of_either_source_are_told_everything_once(newsroom: Newsroom, receiver: Receiver) -> None:
    desk = newsroom.desk
    before, after = feed(posts(3)), feed(posts(5))
    old_url, new_url = moved(receiver, before, before, before, after)
    old, new = desk.add(old_url, name="Old"), desk.add(new_url, name="New")
    by_id, by_name = newsroom.reader("post", "a", [old]), newsroom.reader("post", "b", ["Old"])
    of_new, of_both = newsroom.reader("post", "c", [new]), newsroom.reader("post", "d", [old, new])
    by_query = newsroom.reader(f"post source:{old}", "e")
    desk.poll(new)
    until_merged(desk, old)
    desk.poll_when_due(new)

    three, two = {(f"p{n}", 1): 1 for n in range(3)}, {(f"p{n}", 1): 1 for n in (3, 4)}
    for channel in (by_id, by_name, of_new, by_query):
        assert newsroom.told(channel) == Counter(three | two)
    # Two sources that show the same are two articles; from the merger on it is one.
    assert newsroom.told(of_both) == Counter({key: 2 for key in three} | two)


def test_what_only_one_of_both_has_told_is_told_to_the_others_readers_too(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk = newsroom.desk
    old_url, new_url = moved(receiver, feed(posts(2)), feed(posts(2)), feed(posts(4)), feed(posts(6)))
    old, new = desk.add(old_url), desk.add(new_url)
    of_old, of_new = newsroom.reader("post", "a", [old]), newsroom.reader("post", "b", [new])
    desk.poll(new)
    until_merged(desk, old)  # which tells p2 and p3 in its last poll, before the other has seen them
    assert newsroom.told(of_old) == Counter((f"p{n}", 1) for n in range(4))

    desk.poll_when_due(new)
    everything = Counter((f"p{n}", 1) for n in range(6))
    assert newsroom.told(of_old) == newsroom.told(of_new) == everything


def test_what_waits_in_the_outbox_of_a_merged_source_is_still_told(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk = newsroom.desk
    old_url, new_url = moved(receiver, feed(posts(1)), feed(posts(1)), feed(posts(3)))
    old, new = desk.add(old_url), desk.add(new_url)
    reader = newsroom.reader("post", "a", [old])
    desk.poll(new)
    desk.poll(old)
    desk.publisher.refusing = None
    desk.poll_when_due(old)
    desk.publisher.refusing = set()
    desk.poll_when_due(old)
    assert desk.source(old).state == "active"  # it moves only once all is told
    desk.clock.advance(seconds=10)
    desk.outbox(desk.grant)
    desk.poll_when_due(old)
    assert desk.source(old).state == "merged"
    assert newsroom.told(reader) == Counter((f"p{n}", 1) for n in range(3))


def test_articles_of_a_merged_source_stay_and_can_still_be_told_again(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk = newsroom.desk
    old_url, new_url = moved(receiver, feed([Post("a", "Post A")]))
    old, new = desk.add(old_url), desk.add(new_url)
    reader = newsroom.reader("post", "a", [old])
    desk.poll(new)
    until_merged(desk, old)
    (late,) = [one for one in desk.publisher.confirmed if one.source is not None and one.source.id == old]
    desk.publisher.publish(late)  # a broker may bring a message again
    assert newsroom.told(reader) == Counter({("a", 1): 1})
    with desk.store.read() as session:
        assert articles.origin_of(session, late).source_id == old


def test_another_owners_source_of_the_same_address_is_another(newsroom: Newsroom, receiver: Receiver) -> None:
    desk = newsroom.desk
    with desk.store.write() as session:
        account = accounts.ensure_account(session, "readers", NOON)
    old_url, new_url = moved(receiver, feed(posts(1)))
    old, shared = desk.add(old_url, owner=account), desk.add(new_url)
    for _ in range(2):
        desk.poll_when_due(old)
    assert (desk.source(old).state, desk.source(old).url) == ("active", new_url)
    assert desk.source(shared).state == "active"


def test_of_a_chain_of_moves_the_last_goes_on_for_all(newsroom: Newsroom, receiver: Receiver) -> None:
    desk = newsroom.desk
    first_url, second_url = (receiver.script("/1", redirect("/2", 301)), receiver.url + "/2")
    third_url = receiver.script("/3", feed(posts(1)), feed(posts(1)), feed(posts(1)), feed(posts(2)))
    receiver.script("/2", feed(posts(1)))
    first, second, third = (desk.add(url) for url in (first_url, second_url, third_url))
    until_merged(desk, first)
    desk.poll(third)
    receiver.script("/2", redirect("/3", 308))
    until_merged(desk, second)
    reader = newsroom.reader("post", "a", [first])
    desk.poll_when_due(third)
    assert [desk.source(one).merged_into for one in (first, second, third)] == [third, third, None]
    assert newsroom.told(reader) == Counter({("p1", 1): 1})


def test_of_two_addresses_that_lead_to_each_other_in_turn_the_present_one_is_polled(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk = newsroom.desk
    plain = receiver.script("/http", redirect("/https", 301))
    secure = receiver.script("/https", feed(posts(1)))
    one, two = desk.add(plain), desk.add(secure)
    until_merged(desk, one)
    receiver.script("/http", feed(posts(2)))
    receiver.script("/https", redirect("/http", 301))
    for _ in range(4):
        desk.poll_when_due(two)
    assert (desk.source(two).state, desk.source(two).url) == ("active", plain)
    assert (desk.source(one).merged_into, desk.source(one).url) == (two, secure)
    assert len([message for message in desk.publisher.confirmed if message.id == "p1"]) == 1


def test_an_address_that_was_moved_from_still_finds_its_source(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk = newsroom.desk
    old_url, new_url = moved(receiver, feed(posts(1)))
    source = desk.add(old_url)
    for _ in range(2):
        desk.poll_when_due(source)
    assert desk.source(source).url == new_url
    with desk.store.write() as session:
        again, is_new = sources.find_or_create(session, None, NewSource("feed", old_url, "x"), NOON)
        assert (source_states.survivor(session, again).id, is_new) == (source, False)
        listed = sources.create_missing(session, None, [NewSource("feed", old_url, "x")], NOON)
        assert (listed.ids, listed.made) == ({old_url: source}, set())
        assert [one.id for one in sources.owned(session, None)] == [source]


def test_a_disabled_source_is_polled_again_when_another_moves_onto_it(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk = newsroom.desk
    old_url, new_url = moved(receiver, Respond(410), feed(posts(1)))
    old, new = desk.add(old_url), desk.add(new_url)
    desk.poll(new)
    assert desk.source(new).state == "disabled"
    until_merged(desk, old)
    assert (desk.source(new).state, desk.source(new).next_poll_at) == ("active", desk.clock.now())


def test_deleting_a_source_deletes_those_that_were_merged_into_it(
    newsroom: Newsroom, receiver: Receiver
) -> None:
    desk = newsroom.desk
    old_url, new_url = moved(receiver, feed(posts(1)))
    old, new = desk.add(old_url), desk.add(new_url)
    desk.poll(new)
    until_merged(desk, old)
    with desk.store.write() as session:
        source_states.remove(session, session.get_one(Source, new))
    with desk.store.read() as session:
        assert session.query(Source).all() == []
    assert desk.entries() == {}
