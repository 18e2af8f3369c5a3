"""`clarion sources`."""

from pathlib import Path

import click

from clarion.api_client import connect
from clarion.commands.output import json_option, show
from clarion.commands.serving import data_option


@click.group()
def sources() -> None:
    """Where articles come from."""


@sources.command()
@click.argument("url")
@click.option("--kind", default="feed", show_default=True, help="feed or newsapi.")
@click.option("--name", help="Shown with its articles; by default the feed's own title.")
@click.option("--interval", type=int, help="Seconds between polls.")
@data_option
def add(url: str, kind: str, name: str | None, interval: int | None, data: Path) -> None:
    """Add a source by the URL of its feed."""
    body = {"url": url, "kind": kind, "name": name, "interval_seconds": interval}
    source = connect(data).call("POST", "/v1/sources", {k: v for k, v in body.items() if v is not None})
    click.echo(f"{source['id']}  {source['url']}")


@sources.command("list")
@data_option
@json_option
def list_(data: Path, as_json: bool) -> None:
    """List sources with their health."""
    rows = connect(data).pages("/v1/sources", 10_000)
    show(rows, ("id", "kind", "name", "url", "last_success_at", "last_error", "next_poll_at"), as_json)


@sources.command()
@click.argument("source_id")
@data_option
def fetch(source_id: str, data: Path) -> None:
    """Poll a source now."""
    connect(data).call("POST", f"/v1/sources/{source_id}/fetch")
    click.echo("It will be polled within 2 seconds, unless its host was asked only just now.")
