"""`clarion publish`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from clarion.api_client import ApiError, connect
from clarion.commands.serving import data_option
from core.errors import ClarionError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@data_option
def publish(file: Path, data: Path) -> None:
    """Publish the articles of FILE: a JSON object, an array, or one object a line; `-` is standard input."""
    articles = read_articles(file)
    client = connect(data)
    refused = 0
    for number, article in enumerate(articles, start=1):
        try:
            accepted = client.call("POST", "/v1/articles", article)
            click.echo(f"{accepted['uid']}  version {accepted['version']}  {accepted['id']}")
        except ApiError as error:
            refused += 1
            click.echo(f"article {number}: {error}", err=True)
    if refused:
        raise ClarionError(f"{refused} of {len(articles)} articles were not published")


def read_articles(file: Path) -> list[Any]:
    """Return the articles of a file; raises ClarionError where it is not JSON."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClarionError(f"cannot read {file}: {error}") from error
    try:
        whole = json.loads(text)
        return whole if isinstance(whole, list) else [whole]
    except (ValueError, RecursionError):
        return _read_lines(file, text)


def _read_lines(file: Path, text: str) -> list[Any]:
    articles = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                articles.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ClarionError(f"{file}, line {number}: not JSON: {error}") from error
    return articles
