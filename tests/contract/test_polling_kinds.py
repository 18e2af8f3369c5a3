"""Polls of sources that are no feeds, on both databases, over real sockets."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy import inspect, text

from clarion.logs import configure_logs
from core.store.engine import Store
from fetcher.reading import MORE_SECONDS
from tests.contract.desk import KEY, Desk
from tests.receiver import Answer, Close, Receiver, Respond, redirect

LIST = "/v0/topstories.json"


def answers(value: Any, status: int = 200, **headers: str) -> Respond:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Respond(status, json.dumps(value).encode(), (("Content-Type", "application/json"), *named))


def item_path(id_: int) -> str:
    return f"/v0/item/{id_}.json"


def serve_stories(receiver: Receiver, *ids: int, missing: tuple[int, ...] = ()) -> str:
    """Serve a list and its stories; return the list's URL."""
    for id_ in ids:
        story = {"id": id_, "type": "story", "title": f"Story {id_}", "time": 1_700_000_000 + id_}
        receiver.script(item_path(id_), answers(None if id_ in missing else story))
    return receiver.script(LIST, answers(list(ids)))


def asked(receiver: Receiver) -> list[str]:
    """Return what was asked for since the last call."""
    paths = [request.path for request in receiver.requests]
    receiver.forget()
    return paths


# --- hackernews


def test_stories_are_asked_for_once(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(serve_stories(receiver, 3, 2, 1, missing=(2,)), "hackernews")
    desk.poll(source)
    assert asked(receiver) == [LIST, item_path(3), item_path(2), item_path(1)]
    assert {message.title for message in desk.publisher.confirmed} == {"Story 3", "Story 1"}
    assert desk.source(source).name == "Hacker News"

    desk.publisher.take()
    serve_stories(receiver, 4, 3, 2, 1)
    desk.poll(source)
    assert asked(receiver) == [LIST, item_path(4), item_path(2)]
    assert {message.title for message in desk.publisher.confirmed} == {"Story 4", "Story 2"}


def test_what_another_source_has_shown_is_asked_for_all_the_same(desk: Desk, receiver: Receiver) -> None:
    url = serve_stories(receiver, 1)
    desk.poll(desk.add(url, "hackernews"))
    desk.poll(desk.add(f"{url}?print=pretty", "hackernews"))
    assert asked(receiver).count(item_path(1)) == 2


def test_a_poll_that_takes_too_long_leaves_the_rest_to_the_next(desk: Desk, receiver: Receiver) -> None:
    source = desk.add(serve_stories(receiver, 3, 2, 1), "hackernews")
    moments = iter([0.0, 0.0, 0.0, 1.0, MORE_SECONDS + 1])
    desk.poll(source, monotonic=lambda: next(moments, MORE_SECONDS + 1))
    assert asked(receiver) == [LIST, item_path(3), item_path(2)]
    assert desk.source(source).last_error is None
    desk.poll(source)
    assert asked(receiver) == [LIST, item_path(1)]


# --- newsapi: the key is nowhere but in the header


@pytest.fixture(params=["console", "json"])
def _logged(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Logs as a running process writes them, everything that there is to say."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logs(request.param, "debug")
    structlog.configure(cache_logger_on_first_use=False)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def everywhere(store: Store, capsys: pytest.CaptureFixture[str]) -> str:
    """Return all that was logged, and all that the database holds."""
    rows: list[Any] = []
    with store.read() as session:
        for table in inspect(store.engine).get_table_names():
            rows += session.execute(text(f'SELECT * FROM "{table}"')).all()
    written = capsys.readouterr()
    assert "poll" in written.err
    return f"{rows}{written.out}{written.err}"


_TROUBLES: dict[str, Answer] = {
    "it works": answers({"status": "ok", "articles": [{"title": "T", "url": "https://a.example/1"}]}),
    "an invalid key": answers(
        {"status": "error", "code": "apiKeyInvalid", "message": f"{KEY} is wrong"}, 401
    ),
    "a used-up key": answers({"status": "error", "code": "apiKeyExhausted", "message": KEY}, 429),
    "an odd code": answers({"status": "error", "code": "odd"}, 400),
    "no answer": Close(),
    "a redirect without end": redirect("/v2/everything"),
    "a redirect to nonsense": redirect("http://[/"),
    "no JSON": Respond(200, b"<html>"),
    "a server error": Respond(500),
}


@pytest.mark.usefixtures("_logged")
@pytest.mark.parametrize("what", _TROUBLES)
def test_the_key_is_in_the_header_and_nowhere_else(
    desk: Desk,
    receiver: Receiver,
    what: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = desk.add(receiver.script("/v2/everything", _TROUBLES[what]), "newsapi")
    desk.poll(source)
    assert receiver.requests[0].header("x-api-key") == KEY
    assert all(KEY not in request.target for request in receiver.requests)
    found = everywhere(desk.store, capsys)
    assert source in found
    assert KEY not in found


@pytest.mark.usefixtures("_logged")
def test_a_fault_of_ours_shows_the_key_to_nobody(
    desk: Desk, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = desk.kinds["newsapi"]

    class Faulty(type(whole)):  # type: ignore[misc]
        def parse(self, *_: object) -> None:
            raise RuntimeError("a fault")

    desk.kinds["newsapi"] = Faulty()
    source = desk.add(receiver.script("/v2/everything", answers({})), "newsapi")
    desk.poll(source)
    found = everywhere(desk.store, capsys)
    assert "a fault" in found
    assert KEY not in found


@pytest.mark.parametrize(("code", "hours"), [("apiKeyExhausted", 6), ("rateLimited", 1)])
def test_a_used_up_quota_pauses_the_source(desk: Desk, receiver: Receiver, code: str, hours: int) -> None:
    source = desk.add(
        receiver.script("/v2/top-headlines", answers({"status": "error", "code": code}, 429)), "newsapi"
    )
    desk.poll(source)
    assert hours * 3_600 <= desk.wait_until_next(source) <= hours * 3_600 * 1.1
    assert "NewsAPI" in (desk.source(source).last_error or "")
