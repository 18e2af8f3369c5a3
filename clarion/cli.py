"""The command `clarion`: every subcommand, and errors in one line."""

import sys

import click

from clarion.commands import (
    aliases,
    channels,
    deliveries,
    doctor,
    keys,
    previewing,
    publishing,
    serving,
    sources,
    subscribing,
)
from clarion.demo.command import demo
from clarion.wiring import VERSION
from core.errors import ClarionError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="clarion")
def commands() -> None:
    """News alerts: articles from feeds and news APIs, pushed to webhooks, chats and mail."""


for command in (
    serving.up,
    demo,
    serving.api,
    serving.fetcher,
    serving.router,
    serving.worker,
    serving.migrate,
    doctor.doctor,
    keys.keys,
    sources.sources,
    aliases.aliases,
    channels.channels,
    previewing.preview,
    subscribing.subscribe,
    publishing.publish,
    deliveries.deliveries,
):
    commands.add_command(command)


def main() -> None:
    """Run the command line; what people can mend is said in one line, with exit code 1."""
    try:
        commands()
    except ClarionError as error:
        for line in str(error).splitlines():
            click.echo(f"clarion: {line}", err=True)
        sys.exit(1)
