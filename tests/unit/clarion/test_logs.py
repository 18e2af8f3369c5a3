"""Logs: readable by people or machines, and without anybody's secrets."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from clarion.logs import configure_logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail_with_a_secret() -> None:
    config = {"secret": "swordfish"}
    raise ValueError(f"a channel with {len(config)} field")


@pytest.mark.parametrize("form", ["console", "json"])
def test_tracebacks_show_no_local_variables(
    form: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(form, "info")
    try:
        fail_with_a_secret()
    except ValueError:
        structlog.get_logger("test").exception("it failed")
        logging.getLogger("library").exception("so did this")
    written = capsys.readouterr().err
    assert "a channel with 1 field" in written
    assert "fail_with_a_secret" in written
    assert "so did this" in written
    assert "swordfish" not in written


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    structlog.get_logger("test").info("delivered", channel="ch_1", words="a\nb")
    logging.getLogger("library").warning("slow: %s", "very")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("delivered", "info"),
        ("slow: very", "warning"),
    ]
    assert (lines[0]["channel"], lines[0]["words"]) == ("ch_1", "a\nb")


def test_the_level_holds_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "warning")
    structlog.get_logger("test").info("not said")
    logging.getLogger("library").info("nor this")
    structlog.get_logger("test").warning("said")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["said"]
