"""The figures of the matching benchmark as tables for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.matching_goals import Outcome

_ASKED = ("mean_us", "p50_us", "p99_us")
_HEAD = (
    *("asked", "articles", "finding, µs: mean", "p50", "p99", "with ids: mean", "p50", "p99"),
    *("articles/s", "times ours", "differing"),
)
_DETAILS = (
    ("tokenizing, µs an article", "tokenizing_us"),
    ("matches an article", "matches_per_article"),
    ("resident bytes a subscription", "resident_bytes"),
    ("the index by its own account, bytes a subscription", "index_bytes"),
    ("loading compiled queries, s", "load_s"),
    ("adding one by one, s", "build_by_adding_s"),
    ("add, µs: mean", "add_mean_us"),
    ("add, µs: p99", "add_p99_us"),
    ("discard, µs: mean", "discard_mean_us"),
    ("discard, µs: p99", "discard_p99_us"),
    ("add to the hottest topic, µs: p99", "hottest_add_p99_us"),
    ("discard from the hottest topic, µs: p99", "hottest_discard_p99_us"),
    ("discard from the hottest topic, µs: longest", "hottest_discard_max_us"),
    ("garbage collections while matching", "gc_pauses"),
    ("longest of them, ms", "gc_longest_ms"),
    ("a full garbage collection, ms", "full_gc_ms"),
)


def of_size(figures: Mapping[str, Any]) -> str:
    """Return what one size came to."""
    asked = {"clarion": figures["clarion"], **figures["peers"]}
    indexes = {name: one for name, one in asked.items() if name in ("clarion", "plain")}
    details = [(label, *(_number(one.get(key)) for one in indexes.values())) for label, key in _DETAILS]
    parts = [
        f"{figures['size']:,} subscriptions, {figures['distinct']:,} distinct queries",
        _table(_HEAD, [_asked_row(name, one) for name, one in asked.items()]),
        _table(("", *indexes), details),
    ]
    if "store" in figures:
        parts.append(
            _table(("store", ""), [(name, _text(value)) for name, value in figures["store"].items()])
        )
    return "\n\n".join(parts)


def of_goals(outcomes: Iterable[Outcome]) -> str:
    """Return what came of the goals."""
    rows = [(one.name, *map(_number, one[1:4]), one.verdict) for one in outcomes]
    return _table(("goal", "figure", "floor", "aim", ""), rows)


def _asked_row(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    figures = [one["articles"], *(one[part][key] for part in ("finding", "listing") for key in _ASKED)]
    figures += [one["articles_per_s"], one.get("times"), one.get("articles_differing")]
    return name, *map(_number, figures)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return value if isinstance(value, str) else _number(value)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(_line(row, widths) for row in (head, *rows))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *figures = row
    width, *others = widths
    return "  ".join((name.ljust(width), *map(str.rjust, figures, others))).rstrip()
