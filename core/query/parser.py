"""Reading queries by recursive descent.

or   = and {"OR" and}
and  = not {["AND"] not}
not  = {"NOT" | "-"} term
term = word | phrase | field | "(" or ")" | "title:" (word | phrase | "(" or ")")
"""

import re

from core.query.document import language_tag
from core.query.errors import QueryError
from core.query.lexer import Kind, Lexeme, lexemes
from core.query.nodes import (
    Field,
    FieldName,
    Node,
    Phrase,
    conjunction,
    disjunction,
    excludes_only,
    negation,
)
from core.query.tokens import comparable, fold, tokenize

MAX_LENGTH = 1_000
MAX_LEAVES = 100
MAX_DEPTH = 20

_OPERATORS = {Kind.AND, Kind.OR, Kind.NOT}
_STARTS_OPERAND = {Kind.OPEN, Kind.NOT, Kind.WORD, Kind.PHRASE, Kind.TITLE, Kind.FIELD}
_OPERAND = "a word, a phrase or a group"
_STRAY_STAR = re.compile(r"\*(?=[^\W_])")


def parse(query: str) -> Node:
    """Read a query into its tree, which is the same for equal queries.

    Raises QueryError, which says what was expected where: also beyond 1,000 characters (of the query or of
    its canonical form), 100 words, phrases and fields, or 20 levels of groups; and for a query that looks
    for nothing.
    """
    if len(query) > MAX_LENGTH:
        raise _too_long()
    return bounded(_Parser(query).parse())


def canonical(query: str) -> str:
    """Return the one form of all queries equal to `query`; itself a query.

    Raises QueryError as `parse` does.
    """
    return str(parse(query))


def bounded(node: Node) -> Node:
    """Return `node` if its canonical form can be parsed.

    Raises QueryError when that is too long: some characters stand for many (U+FDFA for 18).
    """
    if len(str(node)) > MAX_LENGTH:
        raise _too_long()
    return node


def _too_long() -> QueryError:
    return QueryError(f"a query of at most {MAX_LENGTH:,} characters, so its end,", MAX_LENGTH)


class _Parser:
    """One query being read.

    Methods answer None for operands without a word, such as a lone `&`, which are passed over.
    """

    def __init__(self, query: str) -> None:
        self._lexemes = lexemes(query)
        self._previous: Lexeme | None = None
        self._next = next(self._lexemes)
        self._leaves = 0
        self._depth = 0

    def parse(self) -> Node:
        start = self._next.position
        if self._next.kind is Kind.END:
            raise QueryError(_OPERAND, start)
        node = self._disjunction(in_title=False)
        if self._next.kind is Kind.CLOSE:
            raise QueryError("an opening parenthesis before the one", self._next.position)
        if node is None:
            raise QueryError(f"{_OPERAND} with a letter or a digit", start)
        self._refuse_exclusion(node, start)
        return node

    def _disjunction(self, in_title: bool) -> Node | None:
        starts = [self._next.position]
        disjuncts = [self._conjunction(in_title)]
        while self._accept(Kind.OR):
            starts.append(self._next.position)
            disjuncts.append(self._conjunction(in_title))
        if len(disjuncts) == 1:
            return disjuncts[0]
        return disjunction(
            self._alternative(node, start) for node, start in zip(disjuncts, starts, strict=True)
        )

    def _alternative(self, node: Node | None, start: int) -> Node:
        if node is None:
            raise QueryError(f"{_OPERAND} with a letter or a digit", start)
        self._refuse_exclusion(node, start)
        return node

    def _conjunction(self, in_title: bool) -> Node | None:
        operands = [self._negation(in_title)]
        while self._accept(Kind.AND) or self._next.kind in _STARTS_OPERAND:
            operands.append(self._negation(in_title))
        found = [node for node in operands if node is not None]
        return conjunction(found) if found else None

    def _negation(self, in_title: bool) -> Node | None:
        if not self._accept(Kind.NOT):
            return self._term(in_title)
        self._descend()
        operand = self._negation(in_title)
        self._depth -= 1
        return None if operand is None else negation(operand)

    def _term(self, in_title: bool) -> Node | None:
        match self._next.kind:
            case Kind.OPEN:
                return self._group(in_title)
            case Kind.WORD | Kind.PHRASE:
                return self._phrase(in_title)
            case Kind.TITLE:
                return self._title()
            case Kind.FIELD if in_title:
                raise QueryError("only words and phrases inside title:", self._next.position)
            case Kind.FIELD:
                return self._field()
            case _:
                raise self._operand_missing()

    def _group(self, in_title: bool) -> Node | None:
        start = self._next.position
        self._descend()
        self._advance()
        node = self._disjunction(in_title)
        if not self._accept(Kind.CLOSE):
            raise QueryError("a closing parenthesis for the group that starts", start)
        self._depth -= 1
        return node

    def _title(self) -> Node:
        title = self._advance()
        value, end = self._next, title.position + len(title.text)
        if value.position != end or value.kind not in {Kind.OPEN, Kind.WORD, Kind.PHRASE}:
            raise QueryError(f"{_OPERAND} right after title:", end)
        node = self._term(in_title=True)
        if node is None:
            raise QueryError(f"{_OPERAND} with a letter or a digit after title:", end)
        return node

    def _phrase(self, in_title: bool) -> Phrase | None:
        lexeme = self._advance()
        self._count_leaf(lexeme)
        text, is_prefix = lexeme.text, False
        if lexeme.kind is Kind.WORD:
            _refuse_stray_star(lexeme)
            text = lexeme.text.rstrip("*")
            is_prefix = text != lexeme.text
        tokens = tuple(tokenize(text))
        if not tokens:
            return None
        return Phrase(tokens, is_prefix and fold(text).endswith(tokens[-1]), in_title)

    def _field(self) -> Field:
        lexeme = self._advance()
        self._count_leaf(lexeme)
        name = FieldName(lexeme.name)
        value = (language_tag if name is FieldName.LANGUAGE else comparable)(lexeme.text)
        if not value:
            raise QueryError(f"a value right after {name}:", lexeme.position + len(name) + 1)
        return Field(name, value)

    def _advance(self) -> Lexeme:
        self._previous, self._next = self._next, next(self._lexemes)
        return self._previous

    def _accept(self, kind: Kind) -> bool:
        if self._next.kind is not kind:
            return False
        self._advance()
        return True

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError(
                f"at most {MAX_DEPTH} groups inside one another, not one more", self._next.position
            )

    def _count_leaf(self, lexeme: Lexeme) -> None:
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            raise QueryError(f"at most {MAX_LEAVES} words and phrases, not one more", lexeme.position)

    def _refuse_exclusion(self, node: Node, start: int) -> None:
        if excludes_only(node):
            raise QueryError("something to look for, not only to exclude,", start)

    def _operand_missing(self) -> QueryError:
        if self._previous is not None and self._previous.kind in _OPERATORS:
            return QueryError(f"{_OPERAND} after {self._previous.text}", self._next.position)
        if self._next.kind in _OPERATORS:
            return QueryError(f"{_OPERAND} before {self._next.text}", self._next.position)
        return QueryError(_OPERAND, self._next.position)


def _refuse_stray_star(word: Lexeme) -> None:
    star = _STRAY_STAR.search(word.text)
    if star:
        raise QueryError("a * at the end of a word, not before a letter,", word.position + star.start())
