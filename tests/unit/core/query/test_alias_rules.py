"""Which aliases may be stored."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FieldError
from core.query import Aliases
from core.query.alias_rules import LONGEST, MOST_ALIASES, MOST_ALIKE, NewAlias, new_alias, refusals

NAMES = [f"n{number}" for number in range(40)]
pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda pair: pair[0] != pair[1])


def made(*given: tuple[str, str]) -> list[NewAlias]:
    return [new_alias(name, meaning) for name, meaning in given]


def by_key(aliases: Sequence[NewAlias]) -> dict[str, NewAlias]:
    return {alias.key: alias for alias in aliases}


def test_names_are_compared_as_words_are() -> None:
    keys = {
        new_alias(name, "x").key for name in ("Rabbit-Hole", "rabbit hole", " RABBIT\thole ", "#rabbit hole")
    }
    assert len(keys) == 1
    assert new_alias("C++", "x").key != new_alias("C", "x").key
    assert new_alias(" Rabbit \n Hole\0", "x").name == "Rabbit Hole"


@pytest.mark.parametrize(
    ("name", "meaning", "field", "words"),
    [
        ("", "x", "name", "letter or a digit"),
        ("&!", "x", "name", "letter or a digit"),
        ("x", " ", "meaning", "letter or a digit"),
        ("x" * (LONGEST + 1), "y", "name", "at most 100"),
        ("x", "y" * (LONGEST + 1), "meaning", "at most 100"),
        ("\ufdfa" * LONGEST, "y", "name", "at most 100"),  # each is 18 characters once it is comparable
        ("K8s", "k8S", "meaning", "the name itself"),
    ],
)
def test_what_is_no_alias_is_refused(name: str, meaning: str, field: str, words: str) -> None:
    with pytest.raises(FieldError, match=words) as caught:
        new_alias(name, meaning)
    assert caught.value.field == field


def test_the_longest_are_taken() -> None:
    assert new_alias("x" * LONGEST, "東" * LONGEST).meaning == "東" * LONGEST


def test_a_name_given_twice_is_refused_the_second_time() -> None:
    found = refusals({}, made(("k8s", "kubernetes"), ("ml", "machine learning"), ("K8S", "other")))
    assert {place: error.field for place, error in found.items()} == {2: "name"}


def test_there_is_an_end_of_new_names_but_not_of_new_meanings() -> None:
    known = by_key([new_alias(f"n{number}", f"m{number}") for number in range(MOST_ALIASES - 1)])
    found = refusals(known, made(("n1", "x"), ("a", "x"), ("b", "x"), ("n2", "x")))
    assert {place: error.field for place, error in found.items()} == {2: "name"}


def test_too_many_names_of_one_thing_are_refused_and_others_are_not() -> None:
    known = by_key(made(*((f"n{number}", "thing") for number in range(MOST_ALIKE - 1))))
    assert refusals(known, made(("n1", "thing"), ("other", "word"))) == {}
    found = refusals(known, made(("one more", "thing"), ("other", "word"), ("by a detour", "n3")))
    assert {place: error.field for place, error in found.items()} == {0: "meaning", 2: "meaning"}


def test_a_refused_name_keeps_its_place_in_its_own_group() -> None:
    full = [(f"n{number}", "thing") for number in range(MOST_ALIKE - 1)]
    other = [(f"o{number}", "else") for number in range(MOST_ALIKE - 1)]
    known = by_key(made(*full, *other))
    # The first would leave room in the group that the second wants to join; but it cannot leave.
    found = refusals(known, made(("n0", "else"), ("new", "thing")))
    assert set(found) == {0, 1}


@given(st.lists(pairs, max_size=40), st.lists(pairs, max_size=40))
def test_what_is_accepted_never_crowds(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    known: dict[str, NewAlias] = {}
    for wanted in (made(*before), made(*after)):
        found = refusals(known, wanted)
        accepted = [alias for place, alias in enumerate(wanted) if place not in found]
        assert len(by_key(accepted)) == len(accepted)
        known |= by_key(accepted)
        table = Aliases({alias.name: alias.meaning for alias in known.values()})
        assert all(table.alike(alias.name) <= MOST_ALIKE for alias in known.values())
