"""`clarion keys`."""

from pathlib import Path

import click

from clarion.api_client import connect
from clarion.commands.serving import data_option


@click.group()
def keys() -> None:
    """Keys to the API."""


@keys.command()
@click.option("--account", help="The account it is for, made if there is none; by default the caller's own.")
@data_option
def create(account: str | None, data: Path) -> None:
    """Make a key; it is shown once."""
    made = connect(data).call("POST", "/v1/keys", {"account": account} if account else {})
    click.echo(made["key"])
