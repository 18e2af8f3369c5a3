"""perq, a published package that finds stored queries in plain Python, as a peer.

Its queries are clauses of words, each of which must have one of its words in the article. So exclusions are
left out, a phrase is its words anywhere, and a title's words are anybody's; what only has prefixes cannot be
asked. It finds more than was asked for, and what is needed to leave that out again is not counted.
"""

import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.asking import Asking
from bench.news_articles import Article
from bench.population_file import records
from bench.tsquery import field_name, names
from core.query import And, Document, Field, Node, Not, Or, Phrase, decompiled

PACKAGE = "perq"
MAX_CLAUSES = 64
INSTALL_SECONDS = 60

Clauses = frozenset[frozenset[str]]


def install(folder: Path) -> str | None:
    """Make perq importable, from a folder if need be; return why that is impossible, None when it is done."""
    if importlib.util.find_spec(PACKAGE) is not None:
        return None
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), PACKAGE]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().splitlines()[-1]
    except subprocess.TimeoutExpired:
        return "installing it took too long"
    return None


def ask_perq(
    folder: Path, file: Path, articles: Sequence[Article], runs: int
) -> tuple[dict[str, Any], Asking, set[int]]:
    """Index the queries of a population that perq can be asked, and match articles, in this process.

    One query stands for all subscriptions to it, and tokens are given ready-made. Returns figures, what
    asking took, and the ids of the subscriptions that cannot be asked.
    """
    sys.path.append(str(folder))
    perq = importlib.import_module(PACKAGE)
    queries, not_asked = list[Any](), set[int]()
    ids: list[array[int]] = []
    for number, (one, of_one) in enumerate(records(file)):
        ids.append(of_one)
        asked = clauses(decompiled(one.code))
        if asked:
            queries.append(perq.Query(number, sorted(map(sorted, asked))))
        else:
            not_asked.update(of_one)
    started = perf_counter()
    store = perq.MemoryStore()
    perq.index(queries, store)
    figures = {
        "version": importlib.metadata.version(PACKAGE),
        "build_s": round(perf_counter() - started, 2),
        "queries": len(queries),
        "queries_not_asked": len(ids) - len(queries),
    }
    del queries
    return figures, _ask(perq, perq.QueryMatcher(store), articles, ids, runs), not_asked


def _ask(
    perq: Any, matcher: Any, articles: Sequence[Article], ids: "Sequence[array[int]]", runs: int
) -> Asking:
    terms = [list(_terms(article)) for article in articles]
    finding, listing = list[list[float]](), list[list[float]]()
    found: list[array[int]] = []
    for _ in range(runs):
        found = []
        finding.append([])
        listing.append([])
        for of_article in terms:
            started = perf_counter()
            numbers = list(matcher.matches(perq.Document(of_article)))
            matched = perf_counter()
            listed = [one for number in numbers for one in ids[number]]
            listing[-1].append(perf_counter() - started)
            finding[-1].append(matched - started)
            found.append(array("q", sorted(listed)))
    return Asking(finding, listing, found)


def compared(
    ours: "Sequence[array[int]]", found: "Sequence[array[int]]", not_asked: set[int]
) -> dict[str, float]:
    """Return for how many articles perq missed what it was asked, and how much more than that it found."""
    pairs = [(set(one) - not_asked, set(other)) for one, other in zip(ours, found, strict=False)]
    return {
        "articles_differing": sum(not one <= other for one, other in pairs),
        "times_too_many": round(
            sum(len(other) for _, other in pairs) / max(1, sum(len(one) for one, _ in pairs)), 3
        ),
    }


def _terms(article: Article) -> set[str]:
    document = Document(*article)
    return {*document.words, *names(document)}


def clauses(node: Node) -> Clauses:
    """Return clauses that hold for every article that a query matches; none when perq cannot ask for it."""
    match node:
        case Phrase(tokens):
            return frozenset(frozenset((token,)) for token in (tokens[:-1] if node.is_prefix else tokens))
        case Field(name, value):
            return frozenset((frozenset((field_name(name, value),)),))
        case Not():
            return frozenset()
        case And(operands):
            return frozenset().union(*map(clauses, operands))
        case Or(operands):
            return _any_of([clauses(operand) for operand in operands])


def _any_of(several: list[Clauses]) -> Clauses:
    """Return the disjunction of several: a clause of each, united, in every combination."""
    first, *others = several
    for other in others:
        first = frozenset(one | two for one in first for two in other)
    return first if len(first) <= MAX_CLAUSES else frozenset()
