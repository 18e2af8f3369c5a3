"""`/v1/sources/discover`."""

from datetime import UTC, datetime

import pytest

from core.errors import Reason
from fetcher.discovery import FoundFeed
from fetcher.sources.base import SourceError
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

PATH = "/v1/sources/discover"
PAGE = "http://127.0.0.1:9/"


def test_what_is_found_is_answered_in_order(api: Api, client: Client) -> None:
    newest = datetime(2026, 3, 1, 8, tzinfo=UTC)
    api.finder.feeds = [
        FoundFeed(f"{PAGE}feed", "News", "feed", "rss", 12, newest, "link"),
        FoundFeed(f"{PAGE}atom", None, "feed", "atom", 0, None, "path"),
    ]
    answer = ok(client.get(PATH, query_string={"url": "HTTP://127.0.0.1:9#top"}))
    assert api.finder.asked == [PAGE]
    assert answer["feeds"][0] == {
        "url": f"{PAGE}feed",
        "title": "News",
        "kind": "feed",
        "format": "rss",
        "items": 12,
        "newest_at": "2026-03-01T08:00:00Z",
        "found_by": "link",
    }
    assert [feed["newest_at"] for feed in answer["feeds"]] == ["2026-03-01T08:00:00Z", None]
    assert ok(client.get("/v1/sources"))["data"] == []


def test_nothing_found_is_an_empty_list(client: Client) -> None:
    assert ok(client.get(PATH, query_string={"url": PAGE})) == {"feeds": []}


@pytest.mark.parametrize(
    "parameters",
    [{}, {"url": ""}, {"url": "site"}, {"url": "http://10.0.0.1/"}, {"url": "file:///etc/passwd"}],
)
def test_what_may_not_be_asked_is_refused(api: Api, client: Client, parameters: dict[str, str]) -> None:
    problem(client.get(PATH, query_string=parameters), 422, "url")
    assert api.finder.asked == []


def test_a_page_that_cannot_be_had_is_said_in_words(api: Api, client: Client) -> None:
    api.finder.failure = SourceError(Reason.DNS, "The server's name does not resolve")
    answer = problem(client.get(PATH, query_string={"url": PAGE}), 422, "url")
    assert "does not resolve" in answer["detail"]


def test_few_searches_run_at_once_and_each_gives_its_place_back(api: Api, client: Client) -> None:
    slots = api.app.extensions["clarion"].search_slots
    api.finder.failure = SourceError(Reason.DNS, "The server's name does not resolve")
    for _ in range(5):
        problem(client.get(PATH, query_string={"url": PAGE}), 422)
    while slots.acquire(blocking=False):
        pass
    answer = client.get(PATH, query_string={"url": PAGE})
    problem(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0


def test_without_a_key_nothing_is_looked_for(api: Api) -> None:
    problem(api.anonymous().get(PATH, query_string={"url": PAGE}), 401)
    assert api.finder.asked == []
