"""`clarion sources`."""

import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from clarion.api_client import ApiClient, connect
from clarion.commands.output import json_option, show
from clarion.commands.serving import data_option
from core.errors import ClarionError

STARTER = "starter"
OPML = "text/x-opml"

COLUMNS = (
    "id",
    "kind",
    "name",
    "url",
    "folder",
    "state",
    "last_success_at",
    "failures",
    "last_error",
    "next_poll_at",
    "interval_seconds",
    "interval_because",
    "articles_per_week",
)


@click.group()
def sources() -> None:
    """Where articles come from."""


@sources.command()
@click.argument("url")
@click.option("--kind", default="feed", show_default=True, help="feed, newsapi, hackernews or push.")
@click.option("--name", help="Shown with its articles; by default the feed's own title.")
@click.option("--folder", help="Where it stands in lists, as in Tech/Blogs.")
@click.option("--interval", type=int, help="Seconds between polls.")
@click.option("--all", "every", is_flag=True, help="Add every feed that is found, not only the best.")
@click.option("--exact", is_flag=True, help="Add the URL itself, without looking what is there.")
@data_option
def add(url: str, data: Path, *, every: bool, exact: bool, **fields: Any) -> None:
    """Add a source by the URL of its feed, or of a web page whose feed is looked for."""
    client = connect(data)
    if exact or fields["kind"] != "feed":
        _add(client, url, fields)
        return
    feeds = client.call("GET", "/v1/sources/discover", url=url)["feeds"]
    if not feeds:
        raise ClarionError(f"no feed was found at {url}; to add it as it is: --exact")
    chosen = feeds if every else feeds[:1]
    for feed in chosen:
        _add(client, feed["url"], fields)
    _mention(feeds[len(chosen) :])


def _add(client: ApiClient, url: str, fields: Mapping[str, Any]) -> None:
    body = {"url": url, **fields, "interval_seconds": fields["interval"]}
    del body["interval"]
    source = client.call("POST", "/v1/sources", {k: v for k, v in body.items() if v is not None})
    click.echo(f"{source['id']}  {source['url']}")


def _mention(others: Sequence[Mapping[str, Any]]) -> None:
    if others:
        click.echo("Not added, although they are there too (--all adds all):", err=True)
    for feed in others:
        newest = f", the newest of {feed['newest_at'][:10]}" if feed["newest_at"] else ""
        click.echo(f"  {feed['url']}  {feed['title'] or ''}  ({feed['items']} articles{newest})", err=True)


@sources.command("list")
@data_option
@json_option
def list_(data: Path, as_json: bool) -> None:
    """List sources with their health."""
    show(connect(data).pages("/v1/sources", 10_000), COLUMNS, as_json)


@sources.command()
@click.argument("source_id")
@data_option
def fetch(source_id: str, data: Path) -> None:
    """Poll a source now."""
    connect(data).call("POST", f"/v1/sources/{source_id}/fetch")
    click.echo("It will be polled within 2 seconds, unless its host was asked only just now.")


@sources.command()
@click.argument("source_id")
@data_option
def enable(source_id: str, data: Path) -> None:
    """Poll a disabled source again."""
    source = connect(data).call("POST", f"/v1/sources/{source_id}/enable")
    click.echo(f"{source['id']} is {source['state']}")


@sources.command("import")
@click.argument("file", metavar="FILE|-|starter", type=click.Path(path_type=Path, allow_dash=True))
@data_option
def import_(file: Path, data: Path) -> None:
    """Add the sources of an OPML file, of standard input, or of the list that Clarion brings along.

    Sources that are there already stay as they are. Ends with 1 if any was refused.
    """
    document = _document(file)
    answer = connect(data).upload("/v1/sources/import", document, OPML)
    if answer["damage"]:
        click.echo(f"{file}: {answer['damage']}; what could be made out was taken", err=True)
    for source in answer["sources"]:
        if source["status"] == "refused":
            click.echo(f"line {source['line']}: {source['url']}: {source['problem']}", err=True)
    click.echo(f"{answer['added']} added, {answer['known']} known already, {answer['refused']} refused")
    if answer["refused"]:
        raise ClarionError(f"{answer['refused']} of {len(answer['sources'])} sources were not added")


@sources.command()
@data_option
def export(data: Path) -> None:
    """Print the sources as OPML, for `import` and for feed readers."""
    sys.stdout.buffer.write(connect(data).download("/v1/sources/export"))


def _document(file: Path) -> bytes:
    """Return what FILE names; raises ClarionError where it cannot be read."""
    if str(file) == STARTER:
        return files("clarion").joinpath("starter_sources.opml").read_bytes()
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ClarionError(f"cannot read {file}: {error}") from error
