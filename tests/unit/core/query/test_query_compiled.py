"""Queries as bytes."""

import pytest
from hypothesis import given, settings

from core.query import canonical, compiled, decompiled, limited, parse
from core.query.compiled import FORMAT, is_current
from tests.unit.router.matching_oracle import Tree, trees


@settings(deadline=None)
@given(trees)
def test_what_was_compiled_is_read_again(tree: Tree) -> None:
    query = parse(tree.render())
    assert decompiled(compiled(query)) == query


def test_long_words_and_many_leaves_are_kept() -> None:
    query = parse(" OR ".join(f"{number}{'x' * number}" for number in range(24)) + f' "{"é " * 70}"')
    assert decompiled(compiled(query)) == query


def test_equal_queries_have_the_same_bytes() -> None:
    assert compiled(parse("b (A AND b)")) == compiled(parse("a b"))


def test_limits_are_part_of_the_query() -> None:
    query = limited(parse("apple OR pie"), ["BBC News", "bbc"], "en_US")
    assert query == parse('(apple OR pie) (source:bbc OR source:"bbc news") lang:en-us')
    assert str(limited(parse("apple"), (), ())) == canonical("apple")


@pytest.mark.parametrize(
    "code",
    [b"", bytes((FORMAT,)), bytes((FORMAT + 1, 3)), bytes((FORMAT, 9)), compiled(parse("a b")) + b"x"]
    + [compiled(parse('a OR "b c" OR lang:de'))[:size] for size in (3, 5, 9, 15)],
)
def test_other_bytes_are_refused(code: bytes) -> None:
    with pytest.raises(ValueError):
        decompiled(code)


def test_a_depth_that_no_query_has_is_refused() -> None:
    with pytest.raises(ValueError):
        decompiled(bytes((FORMAT,)) + b"\x03" * 100_000)


def test_the_format_is_told() -> None:
    assert is_current(compiled(parse("a")))
    assert not is_current(b"\x00")
    assert not is_current(b"")
