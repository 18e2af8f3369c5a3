"""`clarion deliveries`."""

from pathlib import Path

import click

from clarion.api_client import connect
from clarion.commands.output import json_option, show
from clarion.commands.serving import data_option


@click.command()
@click.option("--state", help="held, pending, sending, delivered, failed or cancelled.")
@click.option("--channel", "channel_id", help="Only those of one channel.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@data_option
@json_option
def deliveries(state: str | None, channel_id: str | None, limit: int, data: Path, as_json: bool) -> None:
    """List deliveries, newest first."""
    rows = connect(data).pages("/v1/deliveries", limit, state=state, channel_id=channel_id)
    show(rows, ("id", "channel_id", "article_title", "state", "reason", "attempts", "due_at"), as_json)
