"""`clarion aliases`."""

import csv
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from clarion.api_client import ApiClient, connect
from clarion.commands.output import json_option, show, show_one
from clarion.commands.serving import data_option
from core.errors import ClarionError
from core.query.alias_rules import LONGEST

AT_ONCE = 500  # stays below 1 MB, however long the names
_COMMENT = re.compile(r"#(\s|$)")  # unlike #AI, which is a name
_TITLES = ["name", "meaning"]

Lines = Mapping[int, tuple[str, str]]


@click.group()
def aliases() -> None:
    """Other names for the same thing, such as k8s for kubernetes: each finds the other, in every query."""


@aliases.command("list")
@data_option
@json_option
def list_(data: Path, as_json: bool) -> None:
    """List aliases by name."""
    rows = connect(data).pages("/v1/aliases", 10_000)
    show(sorted(rows, key=lambda row: row["name"].casefold()), ("name", "meaning", "updated_at"), as_json)


@aliases.command("set")
@click.argument("name")
@click.argument("meaning")
@data_option
@json_option
def set_(name: str, meaning: str, data: Path, as_json: bool) -> None:
    """Have NAME and MEANING find each other from the next article on."""
    alias = connect(data).call("PUT", _path(name), {"meaning": meaning})
    show_one(alias, ("name", "meaning"), as_json)


@aliases.command()
@click.argument("name")
@data_option
def remove(name: str, data: Path) -> None:
    """Remove an alias."""
    connect(data).call("DELETE", _path(name))


@aliases.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@data_option
def import_(file: Path, data: Path) -> None:
    """Set the aliases of FILE: lines such as "k8s = kubernetes", or CSV; `-` is standard input.

    Empty lines and those that start with "# " are passed over.
    """
    lines, problems = read_lines(_read(file))
    problems |= _send(connect(data), lines)
    total = len(lines.keys() | problems)
    click.echo(f"{total - len(problems)} of {total} aliases are set")
    for number, problem in sorted(problems.items()):
        click.echo(f"line {number}: {problem}", err=True)
    if problems:
        raise ClarionError(f"{len(problems)} of {total} lines were refused")


def read_lines(text: str) -> tuple[dict[int, tuple[str, str]], dict[int, str]]:
    """Return names with their meanings, and what is wrong with other lines, by the number of the line."""
    lines: dict[int, tuple[str, str]] = {}
    problems: dict[int, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        cells = _cells(line.strip())
        if [cell.lower() for cell in cells] == _TITLES or not any(cells):
            continue
        if len(cells) != 2:
            problems[number] = "is neither name = meaning nor CSV of two columns"
        elif max(map(len, cells)) > LONGEST:
            problems[number] = f"a name or meaning may have at most {LONGEST} characters"
        else:
            lines[number] = (cells[0], cells[1])
    return lines, problems


def _cells(line: str) -> list[str]:
    if _COMMENT.match(line):
        return []
    if "=" in line and not line.startswith('"'):
        cells = line.split("=", 1)
    else:
        try:
            cells = next(csv.reader([line], skipinitialspace=True, strict=True), [])
        except csv.Error:
            cells = [line]
    return [" ".join(cell.split()) for cell in cells]


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClarionError(f"cannot read {file}: {error}") from error


def _send(client: ApiClient, lines: Lines) -> dict[int, str]:
    """Send lines as aliases; return what is wrong with those that were refused."""
    problems: dict[int, str] = {}
    numbers = list(lines)
    for start in range(0, len(numbers), AT_ONCE):
        part = numbers[start : start + AT_ONCE]
        body = {"aliases": [{"name": lines[number][0], "meaning": lines[number][1]} for number in part]}
        answer: dict[str, Any] = client.call("POST", "/v1/aliases/import", body)
        problems |= {part[one["index"]]: f"{one['field']}: {one['message']}" for one in answer["refused"]}
    return problems


def _path(name: str) -> str:
    return f"/v1/aliases/{quote(name, safe='')}"
