"""Who may be pushed to next: bounds, fairness, and that nothing is lost on the way."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from notifiers.lines import Bounds, Lines


@dataclass(frozen=True, eq=False)
class Item:
    """Something that waits."""

    channel_id: str = "ch_1"
    origin: str = "https://example.com"
    suspect: bool = False


items = st.builds(
    Item,
    st.sampled_from(["ch_1", "ch_2", "ch_3", "ch_4"]),
    st.sampled_from(["https://a.example", "https://b.example"]),
    st.booleans(),
)
bounds = st.builds(
    Bounds,
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 12),
)


def take_all(lines: Lines[Item]) -> list[Item]:
    taken = []
    while (item := lines.take()) is not None:
        taken.append(item)
    return taken


@dataclass
class Account:
    """What went in and what came out."""

    lines: Lines[Item]
    bounds: Bounds
    waiting: list[Item] = field(default_factory=list)
    active: list[Item] = field(default_factory=list)

    def put(self, item: Item) -> None:
        taken = self.lines.put(item)
        assert taken == self._has_room(item)
        if taken:
            self.waiting.append(item)

    def _has_room(self, item: Item) -> bool:
        of_channel = sum(one.channel_id == item.channel_id for one in self.waiting)
        if not item.suspect:
            return of_channel < self.bounds.channel_waiting
        suspects = sum(one.suspect for one in self.waiting)
        return of_channel < self.bounds.channel_suspects_waiting and suspects < self.bounds.suspects_waiting

    def shed(self, channel_id: str) -> None:
        for item in self.lines.shed(channel_id):
            assert item.channel_id == channel_id
            self.waiting.remove(item)

    def take(self) -> Item | None:
        item = self.lines.take()
        if item is not None:
            self.waiting.remove(item)  # fails for what was never put in, or handed out before
            self.active.append(item)
        return item

    def end(self, number: int) -> None:
        self.lines.end(self.active.pop(number % len(self.active)))

    def check(self) -> None:
        of_channel = Counter(one.channel_id for one in self.active)
        of_origin = Counter(one.origin for one in self.active)
        suspects = sum(one.suspect for one in self.active)
        assert self.lines.active == len(self.active) <= self.bounds.total
        assert suspects <= self.bounds.suspects
        assert max(of_channel.values(), default=0) <= self.bounds.channel
        assert max(of_origin.values(), default=0) <= self.bounds.origin


class LinesMachine(RuleBasedStateMachine):
    """Puts, takes and ends in any order."""

    def __init__(self) -> None:
        super().__init__()
        limits = Bounds(5, 4, 2, 6, 5, 4)
        self.account = Account(Lines(limits), limits)

    @rule(item=items)
    def put(self, item: Item) -> None:
        self.account.put(item)

    @rule()
    def take(self) -> None:
        self.account.take()

    @precondition(lambda self: self.account.active)
    @rule(number=st.integers(0, 9))
    def end(self, number: int) -> None:
        self.account.end(number)

    @rule(channel_id=st.sampled_from(["ch_1", "ch_2", "ch_3", "ch_4"]))
    def shed(self, channel_id: str) -> None:
        self.account.shed(channel_id)

    @invariant()
    def bounds_hold(self) -> None:
        self.account.check()

    def teardown(self) -> None:
        empty(self.account)


def empty(account: Account) -> None:
    """Take and end until nothing is left; fails when something never comes."""
    for _ in range(len(account.waiting) + len(account.active) + 1):
        while account.take() is not None:
            account.check()
        if account.active:
            account.end(0)
    assert (account.waiting, account.active) == ([], [])


TestLines = LinesMachine.TestCase
TestLines.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


@given(bounds, st.lists(items, max_size=80), st.integers(0, 2**32))
def test_everything_comes_in_the_end_whatever_the_bounds_and_whoever_ends_first(
    limits: Bounds, waiting: list[Item], seed: int
) -> None:
    account, chance = Account(Lines(limits), limits), Random(seed)
    for item in waiting:
        account.put(item)
    rounds = len(waiting) + 1
    for _ in range(rounds):
        while account.take() is not None:
            account.check()
        if account.active:
            account.end(chance.randrange(100))
    assert (account.waiting, account.active) == ([], [])


def test_first_tries_come_in_the_order_they_were_put() -> None:
    lines: Lines[Item] = Lines(Bounds())
    waiting = [Item(f"ch_{number}") for number in range(20)]
    for item in waiting:
        lines.put(item)
    assert take_all(lines) == waiting


def test_suspects_take_a_quarter_however_many_they_are_and_first_tries_find_a_place() -> None:
    lines: Lines[Item] = Lines(Bounds(total=40, origin=40))
    for number in range(500):
        lines.put(Item(f"slow_{number}", suspect=True))
    assert len(take_all(lines)) == 10
    firsts = [Item(f"ch_{number}") for number in range(30)]
    for item in firsts:
        lines.put(item)
    assert take_all(lines) == firsts


def test_a_suspect_comes_now_and_then_however_many_first_tries_there_are() -> None:
    lines: Lines[Item] = Lines(Bounds(total=8, origin=8))
    for number in range(100):
        lines.put(Item(f"ch_{number}"))
    lines.put(Item("late", suspect=True))
    taken = []
    for _ in range(10):
        item = lines.take()
        assert item is not None
        lines.end(item)
        taken.append(item.channel_id)
    assert "late" in taken


def test_a_failing_channel_is_tried_by_one_at_a_time() -> None:
    lines: Lines[Item] = Lines(Bounds())
    for _ in range(5):
        lines.put(Item("failing", suspect=True))
    for _ in range(5):
        (item,) = take_all(lines)
        lines.end(item)
    assert take_all(lines) == []


def test_a_slow_channel_takes_no_place_from_others() -> None:
    lines: Lines[Item] = Lines(Bounds(total=20, origin=20, channel=3))
    for _ in range(100):
        lines.put(Item("slow"))
    others = [Item(f"ch_{number}") for number in range(17)]
    for item in others:
        lines.put(item)
    taken = take_all(lines)
    assert [item for item in taken if item.channel_id != "slow"] == others
    assert len(taken) == 20


def test_a_slow_host_takes_no_place_from_others() -> None:
    lines: Lines[Item] = Lines(Bounds(total=20, origin=5))
    for number in range(100):
        lines.put(Item(f"slow_{number}", "https://slow.example"))
    for number in range(5):
        lines.put(Item(f"ch_{number}", "https://quick.example"))
    assert Counter(item.origin for item in take_all(lines)) == {
        "https://slow.example": 5,
        "https://quick.example": 5,
    }


def test_retries_among_what_waits_cost_a_channels_first_tries_no_connection() -> None:
    lines: Lines[Item] = Lines(Bounds(channel=4))
    for number in range(40):
        lines.put(Item(suspect=number % 2 == 0))
    active, firsts = take_all(lines), 20
    while active:
        assert len(active) >= min(4, firsts)
        assert sum(item.suspect for item in active) <= 1
        ended = active.pop(0)
        lines.end(ended)
        firsts -= not ended.suspect
        active += take_all(lines)
    assert firsts == 0


def test_a_retry_for_a_channel_that_is_always_busy_finds_a_place() -> None:
    lines: Lines[Item] = Lines(Bounds(channel=2))
    late = Item(suspect=True)
    for item in (Item(), Item(), Item(), late):
        lines.put(item)
    active = take_all(lines)
    for _ in range(10):
        lines.put(Item())
        lines.end(active.pop(0))
        active += take_all(lines)
        if late in active:
            break
    assert late in active


@pytest.mark.parametrize("waiting", [1, 3])
def test_a_channel_has_only_so_much_waiting_here(waiting: int) -> None:
    lines: Lines[Item] = Lines(Bounds(channel=1, channel_waiting=waiting))
    assert [lines.put(Item()) for _ in range(waiting + 1)] == [True] * waiting + [False]
    assert lines.put(Item("ch_2"))
    (first, _second) = take_all(lines)
    assert lines.put(Item())
    lines.end(first)
    assert lines.take() is not None


def test_the_part_of_suspects() -> None:
    assert [Bounds(total=total).suspects for total in (1, 3, 4, 8, 256)] == [1, 1, 1, 2, 64]


def test_what_waits_behind_a_channel_that_hangs_is_shed_and_nothing_else() -> None:
    lines: Lines[Item] = Lines(Bounds(channel=2))
    hanging, others = [Item("hangs") for _ in range(5)], [Item(f"ch_{number}") for number in range(3)]
    for item in [*hanging, *others]:
        lines.put(item)
    active = take_all(lines)
    assert active == [*hanging[:2], *others]
    lines.end(active[0])
    assert lines.shed("hangs") == hanging[3:]
    assert take_all(lines) == [hanging[2]]
