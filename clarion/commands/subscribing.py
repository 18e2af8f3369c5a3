"""`clarion subscribe`."""

from pathlib import Path
from typing import Any

import click

from clarion.api_client import connect
from clarion.commands.serving import data_option
from core.errors import ClarionError


@click.command()
@click.argument("query")
@click.option("--webhook", metavar="URL", help="POST matches to this URL.")
@click.option("--slack", metavar="URL", help="Not available in this version.")
@click.option("--email", metavar="ADDRESS", help="Mail matches to this address.")
@click.option("--digest", type=click.Choice(["daily"]), help="Not available in this version.")
@click.option("--at", metavar="HH:MM", help="With --digest.")
@click.option("--timezone", metavar="ZONE", help="With --digest.")
@data_option
def subscribe(
    query: str,
    webhook: str | None,
    slack: str | None,
    email: str | None,
    digest: str | None,
    at: str | None,
    timezone: str | None,
    data: Path,
) -> None:
    """Tell a channel about every article that matches QUERY, as in `kubernetes -"job ad"`."""
    if slack or digest or at or timezone:
        raise ClarionError("Slack and digests are not available in this version: use --webhook or --email")
    channel = _channel(webhook, email)
    made = connect(data).call("POST", "/v1/subscriptions", {"query": query, "channel": channel})
    click.echo(f"subscription  {made['id']}\nchannel       {made['channel_id']}  {made['channel']['state']}")
    if made["channel"].get("secret"):
        click.echo(f"secret        {made['channel']['secret']}  (shown only now; it verifies the signatures)")
    if made["channel"]["state"] == "unverified":
        click.echo(
            "Nothing is mailed yet: an administrator vouches for the address with "
            f"POST /v1/channels/{made['channel_id']}/enable"
        )


def _channel(webhook: str | None, email: str | None) -> dict[str, Any]:
    if bool(webhook) == bool(email):
        raise ClarionError("name one channel: --webhook URL or --email ADDRESS")
    return {"kind": "webhook", "url": webhook} if webhook else {"kind": "email", "address": email}
