"""`clarion sources` against an API that says what the test wants it to."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import fetcher.sources
from api.opml import Outline
from api.opml_reading import read_opml
from clarion.commands.sources import sources
from core.errors import ClarionError
from core.registry import discover
from fetcher.sources.base import SourceKind
from tests.receiver import Receiver, Respond

PAGE = "https://site.example/"
BEST: dict[str, Any] = {
    "url": f"{PAGE}feed",
    "title": "News",
    "items": 12,
    "newest_at": "2026-03-01T08:00:00Z",
}
OTHER: dict[str, Any] = {"url": f"{PAGE}comments", "title": None, "items": 0, "newest_at": None}
DONE: dict[str, Any] = {"added": 1, "known": 2, "refused": 0, "damage": None, "sources": []}


@pytest.fixture
def run(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> "Run":
    monkeypatch.setenv("CLARION_URL", receiver.url)
    monkeypatch.setenv("CLARION_API_KEY", "clk_1")
    receiver.script("/v1/sources", answers({"id": "src_1", "url": "https://site.example/made"}, 201))
    return Run(receiver)


class Run:
    """Runs commands, and knows what they sent."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(sources, arguments, input=stdin)

    def made(self) -> list[Any]:
        return [request.json() for request in self.receiver.requests_for("/v1/sources")]


def answers(value: Any, status: int = 200) -> Respond:
    return Respond(status, json.dumps(value).encode(), (("Content-Type", "application/json"),))


def found(receiver: Receiver, *feeds: dict[str, Any]) -> None:
    receiver.script("/v1/sources/discover", answers({"feeds": list(feeds)}))


def test_the_best_feed_of_a_page_is_added_and_the_others_are_named(run: Run, receiver: Receiver) -> None:
    found(receiver, BEST, OTHER)
    done = run("add", PAGE, "--folder", "Tech")
    assert done.exit_code == 0
    assert done.stdout == "src_1  https://site.example/made\n"
    assert receiver.requests[0].target == "/v1/sources/discover?url=https%3A%2F%2Fsite.example%2F"
    assert run.made() == [{"url": BEST["url"], "kind": "feed", "folder": "Tech"}]
    assert OTHER["url"] in done.stderr
    assert BEST["url"] not in done.stderr


def test_all_feeds_of_a_page_are_added_where_that_is_asked_for(run: Run, receiver: Receiver) -> None:
    found(receiver, BEST, OTHER)
    done = run("add", PAGE, "--all", "--interval", "60")
    assert [made["url"] for made in run.made()] == [BEST["url"], OTHER["url"]]
    assert {made["interval_seconds"] for made in run.made()} == {60}
    assert done.stderr == ""


def test_where_no_feed_is_found_nothing_is_added(run: Run, receiver: Receiver) -> None:
    found(receiver)
    done = run("add", PAGE)
    assert isinstance(done.exception, ClarionError)
    assert "--exact" in str(done.exception)
    assert run.made() == []


@pytest.mark.parametrize("arguments", [("--exact",), ("--kind", "newsapi")])
def test_nothing_is_looked_for_where_the_url_is_meant(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("add", PAGE, *arguments).exit_code == 0
    assert [made["url"] for made in run.made()] == [PAGE]
    assert run.receiver.requests_for("/v1/sources/discover") == []


def test_a_list_is_sent_as_it_is(run: Run, receiver: Receiver, tmp_path: Path) -> None:
    receiver.script("/v1/sources/import", answers(DONE))
    (tmp_path / "list.opml").write_bytes(b"<opml>\xe4</opml>")
    assert run("import", str(tmp_path / "list.opml")).stdout == "1 added, 2 known already, 0 refused\n"
    assert run("import", "-", stdin=b"<opml/>").exit_code == 0
    first, second = receiver.requests_for("/v1/sources/import")
    assert (first.body, second.body) == (b"<opml>\xe4</opml>", b"<opml/>")
    assert first.header("content-type") == "text/x-opml"


def test_what_was_refused_is_said_and_the_command_fails(run: Run, receiver: Receiver) -> None:
    refused = {"line": 7, "url": "ftp://x", "status": "refused", "problem": "url: must start with http://"}
    report = DONE | {"refused": 1, "damage": "not well-formed, in line 3", "sources": [refused]}
    receiver.script("/v1/sources/import", answers(report))
    done = run("import", "-", stdin=b"<opml/>")
    assert "1 of 1 sources" in str(done.exception)
    assert "line 7: ftp://x: url: must start with http://" in done.stderr
    assert "in line 3" in done.stderr
    assert done.stdout.endswith("1 refused\n")


def test_a_file_that_is_not_there_is_said(run: Run) -> None:
    assert "cannot read nowhere.opml" in str(run("import", "nowhere.opml").exception)


def test_an_export_is_printed_as_it_came(run: Run, receiver: Receiver) -> None:
    receiver.script("/v1/sources/export", Respond(200, b"<opml>\xc3\xa4</opml>\n"))
    assert run("export").stdout_bytes == b"<opml>\xc3\xa4</opml>\n"


def starter(run: Run, receiver: Receiver) -> tuple[Outline, ...]:
    receiver.script("/v1/sources/import", answers(DONE))
    assert run("import", "starter").exit_code == 0
    (request,) = receiver.requests_for("/v1/sources/import")
    read = read_opml(request.body)
    assert read.damage is None
    return read.outlines


def test_the_starter_list_has_sources_that_their_kinds_accept(run: Run, receiver: Receiver) -> None:
    kinds: dict[str, SourceKind] = discover(fetcher.sources, "KIND")
    listed = starter(run, receiver)
    assert len(listed) >= 20
    assert len({outline.url for outline in listed}) == len(listed)
    for outline in listed:
        assert outline.title
        assert outline.folder
        assert outline.url.startswith("https://")
        kinds["feed" if outline.type == "rss" else outline.type].check(outline.url)


# --- enable


def test_a_disabled_source_is_enabled(run: Run, receiver: Receiver) -> None:
    receiver.script("/v1/sources/src_1/enable", answers({"id": "src_1", "state": "active"}))
    assert run("enable", "src_1").output == "src_1 is active\n"
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/v1/sources/src_1/enable")
