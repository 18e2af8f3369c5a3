"""`clarion subscribe`, against an API whose answers are known."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clarion.cli import commands
from clarion.data_folder import Address, DataFolder
from core.errors import ClarionError
from tests.receiver import Receiver, Respond

MADE = {"id": "sub_1", "channel_id": "ch_1", "channel": {"state": "active"}}
URL = "https://example.com/x"


@pytest.fixture
def folder(receiver: Receiver, tmp_path: Path) -> Path:
    """A data folder of a Clarion that the receiver stands for."""
    DataFolder(tmp_path).write_address(Address(receiver.url, "clk_1"))
    headers = (("Content-Type", "application/json"),)
    receiver.script("/v1/subscriptions", Respond(201, json.dumps(MADE).encode(), headers))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(commands, ["subscribe", "comets", *arguments, "--data", str(folder)])


@pytest.mark.parametrize(
    ("arguments", "channel"),
    [
        *(
            ([f"--{kind}", URL], {"kind": kind, "url": URL})
            for kind in (
                "webhook",
                "slack",
                "discord",
                "teams",
                "mattermost",
                "googlechat",
                "ntfy",
                "apprise",
            )
        ),
        (
            ["--telegram", "-100", "--telegram-token", "1:x"],
            {"kind": "telegram", "chat_id": "-100", "token": "1:x"},
        ),
        (["--email", "a@b.example"], {"kind": "email", "address": "a@b.example"}),
    ],
)
def test_every_kind_of_channel_has_an_option(
    receiver: Receiver, folder: Path, arguments: list[str], channel: dict[str, Any]
) -> None:
    done = run(folder, *arguments)
    assert done.exit_code == 0, done.output
    (request,) = receiver.requests
    assert request.json() == {"query": "comets", "channel": channel}
    assert done.output.split() == ["subscription", "sub_1", "channel", "ch_1", "active"]


@pytest.mark.parametrize(
    ("arguments", "schedule"),
    [
        (["--digest", "daily"], {"every": "day"}),
        (["--digest", "hourly", "--at", "00:15"], {"every": "hour", "at": "00:15"}),
        (
            ["--digest", "weekly", "--at", "08:00", "--timezone", "Europe/Berlin", "--weekday", "friday"],
            {"every": "week", "at": "08:00", "timezone": "Europe/Berlin", "weekday": "friday"},
        ),
    ],
)
def test_a_digest(receiver: Receiver, folder: Path, arguments: list[str], schedule: dict[str, str]) -> None:
    done = run(folder, "--webhook", URL, *arguments)
    assert done.exit_code == 0, done.output
    assert receiver.requests[0].json()["schedule"] == schedule


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name one channel"),
        (["--slack", URL, "--discord", URL], "name one channel"),
        (["--telegram", "-100"], "needs both"),
        (["--slack", URL, "--telegram-token", "1:x"], "needs both"),
        (["--slack", URL, "--at", "08:00"], "--at goes with --digest"),
        (["--slack", URL, "--timezone", "UTC"], "--timezone goes with --digest"),
    ],
)
def test_what_does_not_fit_together_is_said(
    receiver: Receiver, folder: Path, arguments: list[str], words: str
) -> None:
    done = run(folder, *arguments)
    assert isinstance(done.exception, ClarionError)
    assert words in str(done.exception)
    assert receiver.requests == []
