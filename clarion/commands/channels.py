"""`clarion channels`."""

from pathlib import Path

import click

from clarion.api_client import connect
from clarion.commands.output import json_option, pass_options_on, show, show_one
from clarion.commands.serving import data_option

COLUMNS = ("id", "kind", "state", "target", "state_reason")


@click.group(invoke_without_command=True)
@data_option
@json_option
@click.pass_context
def channels(context: click.Context, data: Path, as_json: bool) -> None:
    """List channels, or do something with one."""
    if pass_options_on(context, data=data, as_json=as_json):
        return
    rows = connect(data).pages("/v1/channels", 10_000)
    listed = [{**row, "target": row.get("url") or row.get("address") or row.get("chat_id")} for row in rows]
    show(listed, COLUMNS, as_json)


@channels.command()
@click.argument("channel_id")
@data_option
@json_option
@click.pass_context
def test(context: click.Context, channel_id: str, data: Path, as_json: bool) -> None:
    """Send a sample now and show what came back; ends with 1 if it was not delivered."""
    came = connect(data).call("POST", f"/v1/channels/{channel_id}/test")
    show_one(came, ("delivered", "status", "reason", "detail", "duration_ms", "excerpt"), as_json)
    if not came["delivered"]:
        context.exit(1)


@channels.command()
@click.argument("channel_id")
@click.option("--since", required=True, metavar="TIME", help="With its zone, as in 2026-01-31T08:00:00Z.")
@data_option
@json_option
def recover(channel_id: str, since: str, data: Path, as_json: bool) -> None:
    """Send again what failed, or was cancelled by a 410, since TIME; a disabled channel becomes active."""
    done = connect(data).call("POST", f"/v1/channels/{channel_id}/recover", {"since": since})
    show_one(done, ("recovered",), as_json)


@channels.command()
@click.argument("channel_id")
@data_option
@json_option
def pause(channel_id: str, data: Path, as_json: bool) -> None:
    """Hold what is for a channel from now on."""
    _change(channel_id, "pause", data, as_json)


@channels.command()
@click.argument("channel_id")
@data_option
@json_option
def resume(channel_id: str, data: Path, as_json: bool) -> None:
    """Send to a paused channel again, first what was held."""
    _change(channel_id, "resume", data, as_json)


@channels.command()
@click.argument("channel_id")
@data_option
@json_option
def enable(channel_id: str, data: Path, as_json: bool) -> None:
    """Send to a disabled channel again; an administrator also vouches for an unverified one."""
    _change(channel_id, "enable", data, as_json)


def _change(channel_id: str, call: str, data: Path, as_json: bool) -> None:
    channel = connect(data).call("POST", f"/v1/channels/{channel_id}/{call}")
    show_one(channel, ("id", "state"), as_json)
