"""Cursors."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.paging import decode_cursor, encode_cursor
from core.ids import new_id


def test_a_cursor_brings_back_what_it_holds() -> None:
    before = new_id("dlv")
    assert decode_cursor(encode_cursor(before)) == before


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_whatever_else_is_no_cursor(text: str) -> None:
    with suppress(ValueError):
        assert decode_cursor(text).replace("_", "").isalnum()


@pytest.mark.parametrize(
    "cursor", ["", "e30", "W10", "bnVsbA", "eyJiZWZvcmUiOjF9", "eyJiZWZvcmUiOiIifQ", "é"]
)
def test_other_json_is_no_cursor(cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        decode_cursor(cursor)
