"""`/v1/articles`."""

import threading
from typing import Any

import pytest
from sqlalchemy import select

from core.message import ArticleMessage
from core.store import entries
from core.store.models import Entry
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

ARTICLE = {"id": "a-1", "version": 1, "title": "Python 4 is out"}


def publish(client: Client, **fields: Any) -> dict[str, Any]:
    """Publish an article."""
    answer: dict[str, Any] = ok(client.post("/v1/articles", ARTICLE | fields), 201)
    return answer


def test_a_plain_article(api: Api, client: Client) -> None:
    body = {"id": 17, "version": 2, "title": "Hi", "content": "<p>There</p>", "category": "Greetings"}
    answer = ok(client.post("/v1/articles", body), 201)
    assert answer["uid"].startswith("art_")
    assert (answer["id"], answer["version"]) == ("17", 2)
    [message] = api.publisher.messages
    assert message.source is not None
    assert {"id": message.source.id, "name": message.source.name} == answer["source"]
    assert (message.summary, message.categories) == ("There", ["Greetings"])


def test_an_article_is_shown_before_and_after_it_is_routed(api: Api, client: Client) -> None:
    made = publish(client, published_at="2026-01-31T09:00:00+01:00", url="https://example.org/1")
    before = ok(client.get(f"/v1/articles/{made['uid']}"))
    api.route()
    after = ok(client.get(f"/v1/articles/{made['uid']}"))
    assert before.keys() == after.keys()
    assert before["versions"][0].keys() == after["versions"][0].keys()
    for name in ("id", "uid", "version", "title", "url", "source", "published_at"):
        assert before[name] == after[name]
    assert after["published_at"] == "2026-01-31T08:00:00Z"
    assert ok(client.get("/v1/articles"))["data"][0]["uid"] == made["uid"]


def test_versions_come_newest_first_and_an_older_one_changes_nothing(api: Api, client: Client) -> None:
    made = publish(client)
    assert publish(client, version=3, title="Third")["uid"] == made["uid"]
    assert publish(client, version=2, title="Second")["version"] == 3
    assert publish(client, version=3, title="Other")["uid"] == made["uid"]
    assert [message.version for message in api.publisher.messages] == [1, 3]
    api.route()
    shown = ok(client.get(f"/v1/articles/{made['uid']}"))
    assert shown["title"] == "Third"
    assert [version["version"] for version in shown["versions"]] == [3, 1]


def test_without_a_broker_it_waits_in_the_outbox(api: Api, client: Client) -> None:
    api.publisher.away = True
    made = publish(client)
    assert ok(client.get(f"/v1/articles/{made['uid']}"))["title"] == ARTICLE["title"]
    with api.store.read() as session:
        [waiting] = entries.unpublished(session)
    assert waiting.message.source is not None
    assert waiting.message.source.id == made["source"]["id"]


def test_with_a_broker_nothing_waits_in_the_outbox(api: Api, client: Client) -> None:
    publish(client)
    with api.store.read() as session:
        assert entries.unpublished(session) == []


def test_it_is_committed_before_it_is_published(
    api: Api, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def look(message: ArticleMessage) -> None:
        with api.store.read() as session:
            seen.extend(session.execute(select(Entry.producer_id)).scalars())

    monkeypatch.setattr(api.publisher, "publish", look)
    publish(client)
    assert seen == ["a-1"]


def test_two_that_come_at_once_are_one_article(client: Client) -> None:
    answers: list[dict[str, Any]] = []
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        answers.append(publish(client))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len({answer["uid"] for answer in answers}) == 1


def test_sources(client: Client, other: Client, admin: Client) -> None:
    default = publish(client)["source"]
    assert default["name"].startswith("account ")
    named = publish(client, source="My blog")["source"]
    assert named["name"] == "My blog"
    assert named["id"] != default["id"]
    assert publish(client, source={"name": "My blog"})["source"] == named
    assert publish(client, source=named["id"])["source"] == named
    assert publish(client, source=named)["source"] == named
    assert publish(other, source="My blog")["source"]["id"] != named["id"]
    for stranger in (other, admin):
        problem(stranger.post("/v1/articles", ARTICLE | {"source": named["id"]}), 422, "source")
    feed = ok(client.post("/v1/sources", {"url": "http://127.0.0.1:9/feed"}), 201)
    problem(client.post("/v1/articles", ARTICLE | {"source": feed["id"]}), 422, "source")


def test_an_accounts_articles_are_its_own_and_the_installations_everyones(
    api: Api, client: Client, other: Client, admin: Client
) -> None:
    mine, shared = publish(client), publish(admin, id="shared")
    for _ in range(2):
        ok(client.get(f"/v1/articles/{mine['uid']}"))
        for stranger in (other, admin):
            problem(stranger.get(f"/v1/articles/{mine['uid']}"), 404)
            assert ok(stranger.get(f"/v1/articles/{shared['uid']}"))["id"] == "shared"
        api.route()
    assert [row["uid"] for row in ok(other.get("/v1/articles"))["data"]] == [shared["uid"]]
    assert len(ok(client.get("/v1/articles"))["data"]) == 2
    assert len(ok(client.get("/v1/articles?q=python"))["data"]) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": "\u0000"}, "id"),
        ({"id": " "}, "id"),
        ({"id": 1.5}, "id"),
        ({"id": True}, "id"),
        ({"id": "x" * 513}, "id"),
        ({"id": 10**600}, "id"),
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"version": 1.0}, "version"),
        ({"version": 2**63}, "version"),
        ({"version": None}, "version"),
        ({"title": ""}, "title"),
        ({"title": "\u0000\t"}, "title"),
        ({"title": 5}, "title"),
        ({"title": ["x"]}, "title"),
        ({"summary": 5}, "summary"),
        ({"content": {}}, "content"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": 5}, "url"),
        ({"image": "data:image/png;base64,AAAA"}, "image"),
        ({"published_at": "yesterday"}, "published_at"),
        ({"published_at": "2026-01-31T08:00:00"}, "published_at"),
        ({"published_at": "0001-01-01T00:00:00+14:00"}, "published_at"),
        ({"published_at": 5}, "published_at"),
        ({"language": "x" * 36}, "language"),
        ({"categories": "x"}, "categories"),
        ({"categories": [1]}, "categories.0"),
        ({"authors": [None]}, "authors.0"),
        ({"schema": 2}, "schema"),
        ({"source": 5}, "source"),
        ({"source": ""}, "source.name"),
        ({"source": {"id": "x", "url": "y"}}, "source.url"),
        ({"source": "src_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "source"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_articles_are_refused_naming_the_field(
    api: Api, client: Client, change: dict[str, object], field: str
) -> None:
    problem(client.post("/v1/articles", ARTICLE | change), 422, field)
    assert api.publisher.messages == []


@pytest.mark.parametrize("required", ARTICLE)
def test_what_every_article_needs(client: Client, required: str) -> None:
    rest = {name: value for name, value in ARTICLE.items() if name != required}
    problem(client.post("/v1/articles", rest), 422, required)


def test_text_that_a_database_refuses_is_cleaned(api: Api, client: Client) -> None:
    body = b'{"id":"\\ud800\\u0000x","version":1,"title":"a\\u0000b\\udfff","source":"s\\ud800"}'
    made = ok(client.post("/v1/articles", data=body, content_type="application/json"), 201)
    api.route()
    assert ok(client.get(f"/v1/articles/{made['uid']}"))["title"] == "ab\ufffd"


def test_listing(api: Api, client: Client) -> None:
    for number in range(5):
        publish(client, id=f"p{number}", title=f"Python {number}", source="blog")
        publish(client, id=f"r{number}", title=f"Rust {number}", source="journal")
        api.route()
        api.clock.advance(minutes=1)
    rust = ok(client.get("/v1/articles", query_string={"q": "rust"}))["data"]
    assert [row["title"] for row in rust] == [f"Rust {n}" for n in (4, 3, 2, 1, 0)]
    blog = ok(client.get("/v1/articles", query_string={"source": "blog", "limit": 2}))
    assert [row["title"] for row in blog["data"]] == ["Python 4", "Python 3"]
    rest = ok(client.get("/v1/articles", query_string={"source": "blog", "cursor": blog["next_cursor"]}))
    assert [row["title"] for row in rest["data"]] == ["Python 2", "Python 1", "Python 0"]
    assert rest["next_cursor"] is None
    since = ok(client.get("/v1/articles", query_string={"q": "python", "since": rust[1]["first_seen_at"]}))
    assert [row["title"] for row in since["data"]] == ["Python 4", "Python 3"]


def test_searching_page_by_page_finds_each_once(api: Api, client: Client) -> None:
    for number in range(7):
        publish(client, id=str(number), title="Python" if number % 2 else "Rust")
    api.route()
    seen, cursor = [], None
    while True:
        given = {"q": "rust", "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = ok(client.get("/v1/articles", query_string=given))
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == ["0", "2", "4", "6"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("q=(", "q"),
        ("q=" + "x" * 2_000, "q"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("limit=5&limit=6", "limit"),
        ("cursor=garbage", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=eyJiZWZvcmUiOiAiXHUwMDAwIn0", "cursor"),
        ("cursor=W10", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("cursor=" + "x" * 5_000, "cursor"),
        ("since=yesterday", "since"),
        ("since=2026-01-31", "since"),
        ("colour=red", "colour"),
    ],
)
def test_bad_parameters_are_refused_naming_them(client: Client, query: str, field: str) -> None:
    problem(client.get(f"/v1/articles?{query}"), 422, field)


@pytest.mark.parametrize("query", ["since=2026-01-31T08:00:00+01:00", "since=2026-01-31T08:00:00%2B01:00"])
def test_an_offset_may_be_written_without_escaping_it(client: Client, query: str) -> None:
    assert ok(client.get(f"/v1/articles?{query}"))["data"] == []
