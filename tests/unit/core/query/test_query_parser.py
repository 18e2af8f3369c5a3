"""What queries are read as, and how what cannot be read is refused."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ClarionError
from core.query import (
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_LENGTH,
    And,
    Field,
    FieldName,
    Node,
    Not,
    Or,
    Phrase,
    QueryError,
    canonical,
    parse,
)
from tests.unit.router.matching_oracle import Tree, trees

A, B, C = (Phrase((word,)) for word in "abc")


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("a", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a OR b", Or((A, B))),
        ("a b OR c", Or((And((A, B)), C))),
        ("c (a OR b)", And((Or((A, B)), C))),
        ("a -b", And((A, Not(B)))),
        ("a NOT b", And((A, Not(B)))),
        ("a AND NOT b", And((A, Not(B)))),
        ("a -(b c)", And((A, Not(And((B, C)))))),
        ("a -(b OR -(-c))", And((A, Not(Or((B, C)))))),
        ("NOT -a", A),
        ("a - b", And((A, B))),
        ("a & b", And((A, B))),
        ("a (!) b", And((A, B))),
        ("a -&", A),
        ("a or b", And((A, B, Phrase(("or",))))),
        ('"a OR b"', Phrase(("a", "or", "b"))),
        ("“a b”", Phrase(("a", "b"))),
        ("„a b“ «c»", And((Phrase(("a", "b")), C))),
        ('"a \\" b"', Phrase(("a", "b"))),
        ('a"b"c', And((A, B, C))),
        ("a(b)c", And((A, B, C))),
        ("a-b", Phrase(("a", "b"))),
        ("http://a.b/c", Phrase(("http", "a", "b", "c"))),
        ("+a", A),
        ("a*", Phrase(("a",), is_prefix=True)),
        ("a-b*", Phrase(("a", "b"), is_prefix=True)),
        ("a-* ", A),
        ('"a*"', A),
        ("title:a", Phrase(("a",), in_title=True)),
        ("Title:a*", Phrase(("a",), is_prefix=True, in_title=True)),
        ('title:"a b"', Phrase(("a", "b"), in_title=True)),
        ("title:(a -b)", And((Phrase(("a",), in_title=True), Not(Phrase(("b",), in_title=True))))),
        ("title:(title:a)", Phrase(("a",), in_title=True)),
        ("-title:a b", And((B, Not(Phrase(("a",), in_title=True))))),
        ("source:BBC", Field(FieldName.SOURCE, "bbc")),
        ('source:"BBC  News"', Field(FieldName.SOURCE, "bbc news")),
        ("source:-x", Field(FieldName.SOURCE, "-x")),
        ('category:"12\\" \\\\"', Field(FieldName.CATEGORY, '12" \\')),
        ("category:C++", Field(FieldName.CATEGORY, "c++")),
        ("lang:en_US", Field(FieldName.LANGUAGE, "en-us")),
        ("中国", Phrase(("中", "国"))),
    ],
)
def test_a_query_is_read_as(query: str, tree: Node) -> None:
    assert parse(query) == tree


@pytest.mark.parametrize(
    ("query", "position", "expected"),
    [
        ("", 0, "a word"),
        ("   ", 3, "a word"),
        ("!!!", 0, "a letter or a digit"),
        ("-", 1, "a word"),
        ('""', 0, "a letter or a digit"),
        ('foo "bar', 4, "a closing quote for the phrase that starts at position 4"),
        ("foo “bar", 4, "a closing quote"),
        ('source:"bar', 7, "a closing quote"),
        ("(a b", 0, "a closing parenthesis for the group that starts at position 0"),
        ("a (b (c)", 2, "a closing parenthesis for the group that starts at position 2"),
        ("a) b", 1, "an opening parenthesis"),
        ("a ()", 3, "a word"),
        ("a OR", 4, "a phrase or a group after OR"),
        ("a OR OR b", 5, "a group after OR"),
        ("(a AND) b", 6, "a group after AND"),
        ("a NOT", 5, "a group after NOT"),
        ("OR a", 0, "a group before OR"),
        ("AND", 0, "a group before AND"),
        ("a OR !!!", 5, "a letter or a digit"),
        ("-a", 0, "something to look for"),
        ("NOT (a OR b)", 0, "something to look for"),
        ("-a -b", 0, "something to look for"),
        ("a OR -b", 5, "something to look for"),
        ("a (b OR -c)", 8, "something to look for"),
        ("a OR (-b -c)", 5, "something to look for"),
        ("a f*o", 3, "a * at the end of a word"),
        ("*foo", 0, "a * at the end of a word"),
        ("title: a", 6, "right after title:"),
        ("a title:", 8, "right after title:"),
        ("title:-a", 6, "right after title:"),
        ("title:source:a", 6, "right after title:"),
        ("title:(a source:b)", 9, "only words and phrases inside title:"),
        ("title:!!!", 6, "after title:"),
        ("a source:", 9, "a value"),
        ("lang: de", 5, "a value"),
        ('category:" "', 9, "a value"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, "at most 1,000 characters"),
        ("\ufdfa" * MAX_LENGTH, MAX_LENGTH, "at most 1,000 characters"),
        ("x " * MAX_LEAVES + "y", 2 * MAX_LEAVES, "at most 100 words and phrases"),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), MAX_DEPTH, "at most 20 groups"),
        ("-" * 900 + "a", MAX_DEPTH + 1, "at most 20 groups"),
    ],
)
def test_a_bad_query_is_refused_with_its_place(query: str, position: int, expected: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert caught.value.position == position
    assert expected in str(caught.value)


def test_the_error_is_for_people_and_a_value_error() -> None:
    with pytest.raises(
        QueryError, match="expected a closing quote for the phrase that starts at position 4"
    ) as it:
        parse('foo "bar')
    assert isinstance(it.value, ClarionError)
    assert isinstance(it.value, ValueError)
    copy = pickle.loads(pickle.dumps(it.value))
    assert (str(copy), copy.position) == (str(it.value), it.value.position)


def test_what_is_within_the_limits_is_accepted() -> None:
    assert canonical("x" * MAX_LENGTH) == "x" * MAX_LENGTH
    parse(" ".join(f"x{number}" for number in range(MAX_LEAVES)))
    parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH)


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("B a", "a b"),
        ("a AND (b AND A)", "a b"),
        ("a OR (b OR a) OR ((c))", "a OR b OR c"),
        ("-x (b OR A) y", "(a OR b) y -x"),
        ("NOT (b a) c", "c -(a b)"),
        ("rabbit-hole", '"rabbit hole"'),
        ('"Rabbit hole"', '"rabbit hole"'),
        ('"solo"', "solo"),
        ("中 国 中国", "中 中国 国"),
        ("Google+ “Google+ news”", '"google+ news" google+'),
        ("kube-Adm*", "kube-adm*"),
        ("x+-y*", "x+-y*"),
        (".net-中", '".net 中"'),
        ("0+:ก中", '"0+ ก中"'),
        ("title:(B a)", "title:a title:b"),
        ('title:("a b" OR c*)', 'title:"a b" OR title:c*'),
        ('source:"BBC  News" SOURCE:"bbc"', 'source:"bbc news" source:bbc'),
        ('category:"(a) \\"b\\" \\\\"', 'category:"(a) \\"b\\" \\\\"'),
        ("lang:EN_us", "lang:en-us"),
        ("--a", "a"),
    ],
)
def test_the_canonical_form_is(query: str, form: str) -> None:
    assert canonical(query) == form
    assert canonical(form) == form


@settings(deadline=None, max_examples=200)
@given(trees)
def test_the_canonical_form_is_the_same_query(tree: Tree) -> None:
    query = tree.render()
    form = canonical(query)
    assert canonical(form) == form
    assert parse(form) == parse(query)
    assert (
        canonical(f"({query})") == canonical(f"{query} OR {query}") == canonical(f"{query} {query}") == form
    )


_PIECES = st.sampled_from(
    (
        *'()"-+*:. \\“”«!\n\0',
        *("a", "B", "é", "title:", "source:", "LANG:", "ſource:", "category:", " OR ", " AND ", " NOT "),
        *("中", "C++", ".net", "\u0301", "\ud800", "\u3000", "ﷺ"),
    )
)


def position_of_error(text: str) -> int | None:
    """Return where a query is bad; None for a good one."""
    try:
        parse(text)
    except QueryError as error:
        return error.position
    return None


@settings(deadline=None, max_examples=500)
@given(st.lists(_PIECES).map("".join) | st.text())
def test_any_text_is_a_query_or_a_query_error(text: str) -> None:
    position = position_of_error(text)
    if position is None:
        form = canonical(text)
        assert canonical(form) == form
        assert parse(form) == parse(text)
    else:
        assert 0 <= position <= max(len(text), MAX_LENGTH)
