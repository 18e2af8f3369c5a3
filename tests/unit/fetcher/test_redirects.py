"""When a source has moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.redirects import Moves, Stays, decide_move

OLD, NEW, OTHER = "http://old.example/feed", "https://new.example/feed", "https://other.example/feed"
SECURE = "https://old.example/feed"


@pytest.mark.parametrize(
    ("before", "permanent", "bound", "expected"),
    [
        pytest.param(None, None, False, Stays(None), id="no redirect"),
        pytest.param(None, NEW, False, Stays(NEW), id="the first time it is noted"),
        pytest.param(NEW, NEW, False, Moves(NEW), id="the second time it counts"),
        pytest.param(NEW, OTHER, False, Stays(OTHER), id="elsewhere is the first time anew"),
        pytest.param(NEW, None, False, Stays(None), id="what is taken back is forgotten"),
        pytest.param(None, OLD, False, Stays(None), id="to itself"),
        pytest.param(NEW, NEW, True, Stays(None), id="a key goes to no other host"),
        pytest.param(SECURE, SECURE, True, Moves(SECURE), id="a key may be sent in secret from now on"),
    ],
)
def test_moves(before: str | None, permanent: str | None, bound: bool, expected: Stays | Moves) -> None:
    assert decide_move(OLD, before, permanent, bound=bound) == expected


def test_a_key_is_not_sent_in_the_open_because_a_server_says_so() -> None:
    assert decide_move(SECURE, OLD, OLD, bound=True) == Stays(None)


@given(st.lists(st.sampled_from([None, OLD, NEW, OTHER]), max_size=20), st.booleans())
def test_only_two_in_a_row_move(redirects: list[str | None], bound: bool) -> None:
    url, noted, before = OLD, None, None
    for permanent in redirects:
        decision = decide_move(url, noted, permanent, bound=bound)
        if isinstance(decision, Moves):
            assert permanent == before == decision.url
            url, noted, before = decision.url, None, None
        else:
            noted, before = decision.moving_to, permanent
