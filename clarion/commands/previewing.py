"""`clarion preview`."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from clarion.api_client import connect
from clarion.commands.output import json_option
from clarion.commands.serving import data_option
from core.text import shorten

BEFORE, AFTER = 40, 100
"""Characters of a summary that are shown before its first mark, and from there on."""

_DAYS = {"day": 1, "week": 7, "month": 30}


@click.command()
@click.argument("query")
@click.option("--source", "sources", multiple=True, help="Only from this source (id or name); repeatable.")
@click.option("--language", "languages", multiple=True, help="Only in this language; repeatable.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Articles shown.")
@data_option
@json_option
def preview(
    query: str, sources: tuple[str, ...], languages: tuple[str, ...], limit: int, data: Path, as_json: bool
) -> None:
    """Show which of the latest 2,000 articles QUERY matches, and why, without subscribing."""
    wanted = {"query": query, "sources": list(sources), "languages": list(languages), "limit": limit}
    found = connect(data).call("POST", "/v1/subscriptions/preview", wanted)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    click.echo(summary_line(found))
    is_terminal = sys.stdout.isatty()
    for article in found["data"]:
        for line in article_lines(article, is_terminal=is_terminal):
            click.echo(line)


def summary_line(found: Mapping[str, Any]) -> str:
    """Return how many articles matched, and how often that is."""
    said = f"{found['matched']:,} of {found['looked_at']:,} article" + "s" * (found["looked_at"] != 1)
    if found["per_day"]:
        said += f", about {rate(found['per_day'])}"
    shown = len(found["data"])
    return said if shown == found["matched"] else f"{said}; the newest {shown}:"


def rate(per_day: float) -> str:
    """Return a frequency in words, by the day, the week or the month, whichever has one at least."""
    for name, days in _DAYS.items():
        number = per_day * days
        if number >= 1:
            return (
                f"{number:.1f}".removesuffix(".0") + f" a {name}" if number < 3 else f"{number:,.0f} a {name}"
            )
    return "less than one a month"


def article_lines(article: Mapping[str, Any], *, is_terminal: bool) -> Iterator[str]:
    """Yield what is printed of an article: what matched is bold on a terminal, else between asterisks."""
    why = article["why"]
    source = (article["source"] or {}).get("name")
    title = text_of(why["title"], is_terminal=is_terminal)
    yield f"\n{article['first_seen_at'][:16].replace('T', ' ')}  {title}" + (
        f"  ({source})" if source else ""
    )
    excerpt = excerpt_of(why["summary"])
    if excerpt:
        yield f"    {text_of(excerpt, is_terminal=is_terminal)}"
    elif not any(stretch["match"] for stretch in why["title"]):
        yield f"    {' '.join(why['terms'])}"


def text_of(stretches: Iterable[Mapping[str, Any]], *, is_terminal: bool) -> str:
    """Return a text with its marks."""
    return "".join(
        _marked(stretch["text"], is_terminal) if stretch["match"] else stretch["text"]
        for stretch in stretches
    )


def excerpt_of(stretches: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the stretches around the first mark, shortened at both ends; none where nothing is marked."""
    first = next((at for at, stretch in enumerate(stretches) if stretch["match"]), None)
    if first is None:
        return []
    before = "".join(stretch["text"] for stretch in stretches[:first])
    excerpt: list[Mapping[str, Any]] = [{"text": _end_of(before), "match": False}]
    left = AFTER
    for stretch in stretches[first:]:
        text = stretch["text"]
        if len(text) > left and not stretch["match"]:
            return [*excerpt, {"text": shorten(text, max(left, 1)), "match": False}]
        excerpt.append(stretch)
        left = max(left - len(text), 0)
    return excerpt


def _end_of(text: str) -> str:
    if len(text) <= BEFORE:
        return text
    _cut_word, _space, words = text[-BEFORE:].partition(" ")
    return "…" + (words or text[-BEFORE:])


def _marked(text: str, is_terminal: bool) -> str:
    return click.style(text, bold=True) if is_terminal else f"*{text}*"
