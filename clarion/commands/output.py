"""Tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print rows as JSON, or as a table of some of their columns."""
    if as_json:
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2))
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_one(row: Mapping[str, Any], names: Sequence[str], as_json: bool) -> None:
    """Print one thing as JSON, or as lines of some of its values, left out where there are none."""
    if as_json:
        click.echo(json.dumps(dict(row), ensure_ascii=False, indent=2))
        return
    width = max(map(len, names))
    for name in names:
        if row.get(name) is not None:
            click.echo(f"{name.ljust(width)}  {_cell(row[name])}")


def pass_options_on(context: click.Context, **given: Any) -> bool:
    """Have options that stand before a subcommand hold for it; return whether there is one."""
    if context.invoked_subcommand is None:
        return False
    context.default_map = {context.invoked_subcommand: given}
    return True


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
