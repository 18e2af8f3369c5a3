"""The distance between requests to one host, and how many there are at a time."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fetcher import hosts
from fetcher.hosts import BUSY_SECONDS, HostGate, host_name

URL = "https://example.com/feed"
ELSEWHERE = "https://elsewhere.example.net/feed"


def visit(gate: HostGate, source: str, now: float, url: str = URL) -> float:
    """Enter, and leave at once where that was possible; return the wait."""
    wait = gate.enter(source, url, now)
    if not wait:
        gate.leave(source)
    return wait


# --- spacing


def test_the_first_request_goes_at_once() -> None:
    assert visit(HostGate(5), "a", 100) == 0


def test_requests_to_one_host_queue_up() -> None:
    gate = HostGate(5)
    assert [visit(gate, source, 100) for source in "abc"] == [0, 5, 10]


def test_ports_schemes_and_case_make_no_other_host() -> None:
    gate = HostGate(5)
    visit(gate, "a", 100, "https://example.com/one")
    assert visit(gate, "b", 100, "http://EXAMPLE.com:8080/two") == 5


def test_hosts_do_not_wait_for_each_other() -> None:
    gate = HostGate(5)
    visit(gate, "a", 100)
    assert visit(gate, "b", 100, "https://example.org/feed") == 0


def test_a_slot_is_kept_for_who_was_told_to_wait() -> None:
    gate = HostGate(5)
    visit(gate, "a", 100)
    assert visit(gate, "b", 101) == 4
    assert visit(gate, "c", 105) == 5
    assert visit(gate, "b", 105) == 0
    assert visit(gate, "c", 110) == 0


def test_who_comes_back_too_early_waits_for_the_same_slot() -> None:
    gate = HostGate(5)
    visit(gate, "a", 100)
    assert visit(gate, "b", 100) == 5
    assert visit(gate, "b", 103) == 2
    assert visit(gate, "b", 105) == 0


def test_a_host_left_alone_is_free_again() -> None:
    gate = HostGate(5)
    visit(gate, "a", 100)
    assert visit(gate, "b", 200) == 0


@pytest.mark.parametrize("url", ["", "not a url", "mailto:a@example.com", "http://[", "//["])
def test_an_address_without_host_is_no_error(url: str) -> None:
    assert host_name(url) == ""
    assert visit(HostGate(5), "a", 100, url) == 0


def test_no_spacing_is_no_waiting() -> None:
    gate = HostGate(0)
    assert {visit(gate, str(number), 100) for number in range(10)} == {0}


# --- connections


def test_two_requests_at_a_time_and_no_third() -> None:
    gate = HostGate(1)
    assert gate.enter("a", URL, 100) == 0
    assert gate.enter("b", URL, 101) == 0
    wait = gate.enter("c", URL, 102)
    assert wait >= BUSY_SECONDS
    gate.leave("a")
    assert gate.enter("c", URL, 102 + wait) == 0


def test_who_finds_no_connection_joins_the_end_of_the_queue() -> None:
    gate = HostGate(1)
    gate.enter("a", URL, 100)
    gate.enter("b", URL, 101)
    waits = [gate.enter(source, URL, 102) for source in "cdefg"]
    assert waits == sorted(waits)
    assert all(later - earlier >= 1 for earlier, later in pairwise(waits[1:]))


def test_a_source_that_is_being_polled_is_not_let_in_again() -> None:
    gate = HostGate(0)
    gate.enter("a", URL, 100)
    assert gate.enter("a", URL, 200) == BUSY_SECONDS
    gate.leave("a")
    assert gate.enter("a", URL, 300) == 0


def test_leaving_twice_frees_no_more_than_was_taken() -> None:
    gate = HostGate(0, connections=1)
    gate.enter("a", URL, 100)
    gate.leave("a")
    gate.leave("a")
    assert gate.enter("b", URL, 100) == 0
    assert gate.enter("c", URL, 100) > 0


# --- redirects to another host


def test_a_host_to_which_polls_are_sent_on_is_spaced_as_well() -> None:
    gate = HostGate(5)
    gate.enter("a", "https://one.example/", 100)
    assert gate.enter_beyond("a", ELSEWHERE, 100) == 0
    gate.leave("a")
    gate.enter("b", "https://two.example/", 100)
    wait = gate.enter_beyond("b", ELSEWHERE, 100)
    gate.leave("b")
    assert wait == 5
    # The next time it is known where it leads, and both hosts are asked for together.
    assert gate.hosts_of("b", "https://two.example/") == ("two.example", "elsewhere.example.net")
    assert gate.enter("b", "https://two.example/", 105) == 0
    assert gate.enter_beyond("b", ELSEWHERE, 105) == 0


def test_a_host_to_which_polls_are_sent_on_has_two_connections_as_well() -> None:
    gate = HostGate(0)
    for source in "ab":
        gate.enter(source, f"https://{source}.example/", 100)
        assert gate.enter_beyond(source, ELSEWHERE, 100) == 0
    gate.enter("c", "https://c.example/", 100)
    assert gate.enter_beyond("c", ELSEWHERE, 100) > 0
    gate.leave("a")
    gate.leave("c")
    assert visit(gate, "d", 200, ELSEWHERE) == 0


def test_a_redirect_within_a_host_needs_no_second_place() -> None:
    gate = HostGate(5, connections=1)
    gate.enter("a", URL, 100)
    assert gate.enter_beyond("a", "https://example.com/moved", 100) == 0


def test_where_a_source_led_is_forgotten_when_it_leads_there_no_more() -> None:
    gate = HostGate(5)
    gate.enter("a", URL, 100)
    gate.enter_beyond("a", ELSEWHERE, 100)
    gate.leave("a")
    gate.stays("a")
    assert gate.hosts_of("a", URL) == ("example.com",)


# --- memory


def test_what_is_over_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_REMEMBERED", 10)
    gate = HostGate(1)
    for number in range(1_000):
        visit(gate, str(number), number * 100.0, f"https://host{number}.example/")
        visit(gate, f"{number} too", number * 100.0, f"https://host{number}.example/")
    assert len(gate._hosts) + len(gate._slots) < 50


# --- whatever comes


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 7)), max_size=40),
    distance=st.integers(1, 10),
)
def test_no_host_is_asked_twice_within_the_distance(
    arrivals: list[tuple[int, int, int]], distance: int
) -> None:
    gate, now = HostGate(distance), 0.0
    asked: dict[int, list[float]] = {}
    waiting: dict[tuple[int, int], float] = {}
    for source, host, pause in arrivals:
        now += pause
        wait = visit(gate, f"{source}@{host}", now, f"https://host{host}/")
        if wait:
            waiting[source, host] = now + wait
        else:
            waiting.pop((source, host), None)
            asked.setdefault(host, []).append(now)
    for times in asked.values():
        assert all(later - earlier >= distance for earlier, later in pairwise(times))
    # Nobody is told to wait longer than it takes all before to have their turn.
    assert all(due <= now + distance * len(arrivals) for due in waiting.values())


SOURCES = st.integers(0, 7)
HOSTS = st.integers(0, 2)


@dataclass
class Visits:
    """Who is at which hosts."""

    inside: dict[int, set[int]] = field(default_factory=dict)

    def at(self, host: int) -> int:
        """Return how many are at a host."""
        return sum(host in there for there in self.inside.values())


class Gate(RuleBasedStateMachine):
    """Polls that come, are redirected and go in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.visits, self.now = HostGate(2), Visits(), 0.0
        self.asked: dict[int, float] = {}

    @rule(source=SOURCES, seconds=st.integers(0, 5))
    def come(self, source: int, seconds: int) -> None:
        self.now += seconds
        if source in self.visits.inside:
            return
        home, names = source % 3, self.gate.hosts_of(str(source), f"https://h{source % 3}/")
        if not self.gate.enter(str(source), f"https://h{home}/", self.now):
            self.visits.inside[source] = set()
            for name in names:
                self._arrive(source, int(name[1:]))

    @rule(source=SOURCES, host=HOSTS)
    def be_redirected(self, source: int, host: int) -> None:
        if source not in self.visits.inside or host in self.visits.inside[source]:
            return
        if not self.gate.enter_beyond(str(source), f"https://h{host}/", self.now):
            self._arrive(source, host)

    def _arrive(self, source: int, host: int) -> None:
        assert self.now - self.asked.get(host, -10.0) >= 2
        self.asked[host] = self.now
        self.visits.inside[source].add(host)

    @rule(source=SOURCES)
    def go(self, source: int) -> None:
        self.visits.inside.pop(source, None)
        self.gate.leave(str(source))

    @invariant()
    def no_host_has_more_than_two(self) -> None:
        assert all(self.visits.at(host) <= 2 for host in range(3))

    def teardown(self) -> None:
        """Once all have gone, every source gets in within a bounded time."""
        for source in list(self.visits.inside):
            self.go(source)
        for source in range(8):
            waited = 0.0
            while wait := visit(self.gate, str(source), self.now, f"https://h{source % 3}/"):
                self.now += wait
                waited += wait
                assert waited < 10_000, "never let in"


TestGate = Gate.TestCase
