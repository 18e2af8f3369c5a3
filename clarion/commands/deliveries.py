"""`clarion deliveries`."""

from pathlib import Path

import click

from clarion.api_client import connect
from clarion.commands.output import json_option, pass_options_on, show, show_one
from clarion.commands.serving import data_option

COLUMNS = ("id", "channel_id", "article_title", "state", "reason", "attempts", "due_at")


@click.group(invoke_without_command=True)
@click.option("--state", help="held, pending, sending, delivered, failed or cancelled.")
@click.option("--channel", "channel_id", help="Only those of one channel.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@data_option
@json_option
@click.pass_context
def deliveries(
    context: click.Context, state: str | None, channel_id: str | None, limit: int, data: Path, as_json: bool
) -> None:
    """List deliveries, newest first, or do something with one."""
    if pass_options_on(context, data=data, as_json=as_json):
        return
    rows = connect(data).pages("/v1/deliveries", limit, state=state, channel_id=channel_id)
    show(rows, COLUMNS, as_json)


@deliveries.command()
@click.argument("delivery_id")
@data_option
@json_option
def retry(delivery_id: str, data: Path, as_json: bool) -> None:
    """Send a delivery again, or at once where it waits; held while its channel is not sent to."""
    delivery = connect(data).call("POST", f"/v1/deliveries/{delivery_id}/retry")
    show_one(delivery, ("id", "state", "attempts", "next_try_at"), as_json)
