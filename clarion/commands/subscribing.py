"""`clarion subscribe`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from clarion.api_client import connect
from clarion.commands.serving import data_option
from core.errors import ClarionError

# Kinds of channels that a URL is enough for.
URLS = {
    "webhook": "POST matches to this URL.",
    "slack": "Post matches by this incoming webhook of Slack.",
    "discord": "Post matches by this webhook of Discord.",
    "teams": "Post matches by this workflow webhook of Microsoft Teams.",
    "mattermost": "Post matches by this incoming webhook of Mattermost.",
    "googlechat": "Post matches by this webhook of a Google Chat space.",
    "ntfy": "Publish matches to this topic, as in https://ntfy.sh/my-news.",
    "apprise": "Tell matches by this URL of Apprise, where that is installed.",
}

DIGESTS = {"hourly": "hour", "daily": "day", "weekly": "week"}

C = TypeVar("C", bound=Callable[..., Any])


def _url_options(command: C) -> C:
    for kind, words in reversed(URLS.items()):
        command = click.option(f"--{kind}", metavar="URL", help=words)(command)
    return command


@click.command()
@click.argument("query")
@_url_options
@click.option("--telegram", metavar="CHAT_ID", help="Send matches to this chat of Telegram.")
@click.option("--telegram-token", metavar="TOKEN", help="The bot's token, with --telegram.")
@click.option("--email", metavar="ADDRESS", help="Mail matches to this address.")
@click.option("--digest", type=click.Choice(list(DIGESTS)), help="Tell matches together, this often.")
@click.option("--at", metavar="HH:MM", help="When, with --digest; 08:00 by default, hourly ones on the hour.")
@click.option("--timezone", metavar="ZONE", help="By which clocks, as Europe/Berlin; UTC by default.")
@click.option("--weekday", help="On which day, with --digest weekly; monday by default.")
@data_option
def subscribe(
    query: str,
    telegram: str | None,
    telegram_token: str | None,
    email: str | None,
    digest: str | None,
    at: str | None,
    timezone: str | None,
    weekday: str | None,
    data: Path,
    **urls: str | None,
) -> None:
    """Tell a channel about every article that matches QUERY, as in `kubernetes -"job ad"`."""
    wanted: dict[str, Any] = {"query": query, "channel": _channel(urls, telegram, telegram_token, email)}
    schedule = _schedule(digest, {"at": at, "timezone": timezone, "weekday": weekday})
    if schedule:
        wanted["schedule"] = schedule
    made = connect(data).call("POST", "/v1/subscriptions", wanted)
    click.echo(f"subscription  {made['id']}\nchannel       {made['channel_id']}  {made['channel']['state']}")
    if made["channel"].get("secret"):
        click.echo(f"secret        {made['channel']['secret']}  (shown only now; it verifies the signatures)")
    if made["channel"]["state"] == "unverified":
        click.echo(
            f"{email} is asked by mail first, and gets nothing else before it agrees; an administrator "
            f"may vouch for it: clarion channels enable {made['channel_id']}"
        )


def _schedule(digest: str | None, when: Mapping[str, str | None]) -> dict[str, Any] | None:
    given = {name: value for name, value in when.items() if value is not None}
    if digest is None:
        if given:
            raise ClarionError(f"--{next(iter(given))} goes with --digest")
        return None
    return {"every": DIGESTS[digest], **given}


def _channel(
    urls: Mapping[str, str | None], telegram: str | None, telegram_token: str | None, email: str | None
) -> dict[str, Any]:
    named: list[dict[str, Any]] = [{"kind": kind, "url": url} for kind, url in urls.items() if url]
    if telegram:
        named.append({"kind": "telegram", "chat_id": telegram, "token": telegram_token})
    if email:
        named.append({"kind": "email", "address": email})
    if len(named) != 1:
        raise ClarionError("name one channel, as with --webhook URL or --email ADDRESS")
    if bool(telegram) != bool(telegram_token):
        raise ClarionError("a chat of Telegram needs both: --telegram CHAT_ID and --telegram-token TOKEN")
    return named[0]
