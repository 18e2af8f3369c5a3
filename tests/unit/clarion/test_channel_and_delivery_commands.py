"""`clarion channels` and `clarion deliveries`, against an API whose answers are known."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clarion.cli import commands
from clarion.data_folder import Address, DataFolder
from tests.receiver import Receiver, Respond

TRIAL = {
    "delivered": True,
    "status": 204,
    "reason": None,
    "detail": None,
    "duration_ms": 12,
    "excerpt": None,
}


def answers(receiver: Receiver, path: str, value: Any) -> None:
    body = json.dumps(value).encode()
    receiver.script(path, Respond(200, body, (("Content-Type", "application/json"),)))


@pytest.fixture
def folder(receiver: Receiver, tmp_path: Path) -> Path:
    """A data folder of a Clarion that the receiver stands for."""
    DataFolder(tmp_path).write_address(Address(receiver.url, "clk_1"))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(commands, [*arguments, "--data", str(folder)])


def asked(receiver: Receiver) -> list[tuple[str, str]]:
    return [(request.method, request.target) for request in receiver.requests]


@pytest.mark.parametrize("resource", ["channels", "deliveries"])
def test_without_a_subcommand_they_are_listed(receiver: Receiver, folder: Path, resource: str) -> None:
    answers(receiver, f"/v1/{resource}", {"data": [{"id": "x_1"}], "next_cursor": None})
    done = run(folder, resource, "--json")
    assert done.exit_code == 0, done.output
    assert [row["id"] for row in json.loads(done.output)] == ["x_1"]
    assert len(receiver.requests) == 1


def test_a_channel_that_works(receiver: Receiver, folder: Path) -> None:
    answers(receiver, "/v1/channels/ch_1/test", TRIAL)
    done = run(folder, "channels", "test", "ch_1")
    assert done.exit_code == 0
    lines = [line.split() for line in done.output.splitlines()]
    assert lines == [["delivered", "true"], ["status", "204"], ["duration_ms", "12"]]
    assert asked(receiver) == [("POST", "/v1/channels/ch_1/test")]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_channel_that_does_not_work_ends_with_1(
    receiver: Receiver, folder: Path, form: tuple[str, ...]
) -> None:
    answers(receiver, "/v1/channels/ch_1/test", TRIAL | {"delivered": False, "reason": "dns", "status": None})
    done = run(folder, "channels", "test", "ch_1", *form)
    assert done.exit_code == 1
    assert "dns" in done.output
    if form:
        assert json.loads(done.output)["delivered"] is False


@pytest.mark.parametrize("call", ["pause", "resume", "enable"])
def test_changing_whether_a_channel_is_sent_to(receiver: Receiver, folder: Path, call: str) -> None:
    answers(receiver, f"/v1/channels/ch_1/{call}", {"id": "ch_1", "state": "active", "kind": "webhook"})
    done = run(folder, "channels", call, "ch_1")
    assert (done.exit_code, done.output.split()) == (0, ["id", "ch_1", "state", "active"])
    assert json.loads(run(folder, "channels", call, "ch_1", "--json").output)["kind"] == "webhook"
    assert asked(receiver) == [("POST", f"/v1/channels/ch_1/{call}")] * 2


def test_recovering_says_how_many(receiver: Receiver, folder: Path) -> None:
    answers(receiver, "/v1/channels/ch_1/recover", {"recovered": 3})
    done = run(folder, "channels", "recover", "ch_1", "--since", "2026-01-31T08:00:00Z")
    assert (done.exit_code, done.output.split()) == (0, ["recovered", "3"])
    (request,) = receiver.requests
    assert request.json() == {"since": "2026-01-31T08:00:00Z"}


def test_recovering_wants_a_time(receiver: Receiver, folder: Path) -> None:
    done = run(folder, "channels", "recover", "ch_1")
    assert done.exit_code == 2
    assert "--since" in done.output
    assert receiver.requests == []


def test_retrying_a_delivery(receiver: Receiver, folder: Path) -> None:
    row = {"id": "dlv_1", "state": "held", "attempts": 3, "next_try_at": None}
    answers(receiver, "/v1/deliveries/dlv_1/retry", row)
    done = run(folder, "deliveries", "retry", "dlv_1")
    assert done.exit_code == 0
    assert done.output.split() == ["id", "dlv_1", "state", "held", "attempts", "3"]
    assert asked(receiver) == [("POST", "/v1/deliveries/dlv_1/retry")]


def test_options_may_stand_before_the_subcommand(receiver: Receiver, folder: Path) -> None:
    answers(receiver, "/v1/channels/ch_1/pause", {"id": "ch_1", "state": "paused"})
    arguments = ["channels", "--data", str(folder), "--json", "pause", "ch_1"]
    done = CliRunner().invoke(commands, arguments)
    assert json.loads(done.output) == {"id": "ch_1", "state": "paused"}
