"""The distance between requests to one host."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.spacing import HostSpacing

URL = "https://example.com/feed"


def test_the_first_request_goes_at_once() -> None:
    assert HostSpacing(5).wait_before("a", URL, 100) == 0


def test_requests_to_one_host_queue_up() -> None:
    spacing = HostSpacing(5)
    assert [spacing.wait_before(source, URL, 100) for source in "abc"] == [0, 5, 10]


def test_ports_schemes_and_case_make_no_other_host() -> None:
    spacing = HostSpacing(5)
    spacing.wait_before("a", "https://example.com/one", 100)
    assert spacing.wait_before("b", "http://EXAMPLE.com:8080/two", 100) == 5


def test_hosts_do_not_wait_for_each_other() -> None:
    spacing = HostSpacing(5)
    spacing.wait_before("a", URL, 100)
    assert spacing.wait_before("b", "https://example.org/feed", 100) == 0


def test_a_slot_is_kept_for_who_was_told_to_wait() -> None:
    spacing = HostSpacing(5)
    spacing.wait_before("a", URL, 100)
    assert spacing.wait_before("b", URL, 101) == 4
    assert spacing.wait_before("c", URL, 105) == 5
    assert spacing.wait_before("b", URL, 105) == 0
    assert spacing.wait_before("c", URL, 110) == 0


def test_who_comes_back_too_early_waits_for_the_same_slot() -> None:
    spacing = HostSpacing(5)
    spacing.wait_before("a", URL, 100)
    assert spacing.wait_before("b", URL, 100) == 5
    assert spacing.wait_before("b", URL, 103) == 2
    assert spacing.wait_before("b", URL, 105) == 0


def test_a_host_left_alone_is_free_again() -> None:
    spacing = HostSpacing(5)
    spacing.wait_before("a", URL, 100)
    assert spacing.wait_before("b", URL, 200) == 0


@pytest.mark.parametrize("url", ["", "not a url", "mailto:a@example.com"])
def test_an_address_without_host_is_no_error(url: str) -> None:
    assert HostSpacing(5).wait_before("a", url, 100) == 0


def test_no_spacing_is_no_waiting() -> None:
    spacing = HostSpacing(0)
    assert {spacing.wait_before(str(number), URL, 100) for number in range(10)} == {0}


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 7)), max_size=40),
    distance=st.integers(1, 10),
)
def test_no_host_is_asked_twice_within_the_distance(
    arrivals: list[tuple[int, int, int]], distance: int
) -> None:
    spacing, now = HostSpacing(distance), 0.0
    asked: dict[int, list[float]] = {}
    waiting: dict[tuple[int, int], float] = {}
    for source, host, pause in arrivals:
        now += pause
        wait = spacing.wait_before(f"{source}@{host}", f"https://host{host}/", now)
        if wait:
            waiting[source, host] = now + wait
        else:
            waiting.pop((source, host), None)
            asked.setdefault(host, []).append(now)
    for times in asked.values():
        assert all(later - earlier >= distance for earlier, later in pairwise(times))
    # Nobody is told to wait longer than it takes all before to have their turn.
    assert all(due <= now + distance * len(arrivals) for due in waiting.values())
