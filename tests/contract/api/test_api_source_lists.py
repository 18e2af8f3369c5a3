"""`/v1/sources/import` and `/v1/sources/export`."""

from typing import Any

import pytest

from api.opml import Outline, write_opml
from api.opml_reading import read_opml
from core.clock import rfc3339
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import START, Api, Client

HOST = "http://127.0.0.1:9"
HACKER_NEWS = f"{HOST}/v0/topstories.json"
LIST = [
    Outline(f"{HOST}/a.xml", "A", "", "rss"),
    Outline(f"{HOST}/b.xml", "B & c", "Tech/Blogs", "rss"),
    Outline(HACKER_NEWS, "HN", "Tech", "hackernews"),
]


def send(client: Client, outlines: list[Outline], status: int = 200) -> Any:
    """Import a list."""
    return sent(client, write_opml(outlines, "T", START), status)


def sent(client: Client, document: str, status: int = 200) -> Any:
    answer = client.post("/v1/sources/import", data=document.encode(), content_type="text/x-opml")
    return ok(answer, status) if status == 200 else problem(answer, status)


def sources(client: Client) -> dict[str, Any]:
    return {row["url"]: row for row in ok(client.get("/v1/sources"))["data"]}


def exported(client: Client) -> list[tuple[str, str, str, str]]:
    answer = client.get("/v1/sources/export")
    assert answer.mimetype == "text/x-opml"
    return [(one.url, one.title, one.folder, one.type) for one in read_opml(answer.data).outlines]


def test_what_can_be_made_out_of_a_damaged_list_is_taken(client: Client) -> None:
    answer = sent(client, f"<opml><body><outline xmlUrl='{HOST}/x' note='a < b'/></body></opml>")
    assert (answer["added"], "line 1" in answer["damage"]) == (1, True)
    assert send(client, LIST)["damage"] is None


def test_a_list_becomes_sources_in_folders(api: Api, client: Client) -> None:
    answer = send(client, LIST)
    assert {name: answer[name] for name in ("added", "known", "refused")} == {
        "added": 3,
        "known": 0,
        "refused": 0,
    }
    made = sources(client)
    first = made[f"{HOST}/a.xml"]
    assert (first["name"], first["folder"], first["kind"]) == ("A", None, "feed")
    assert first["next_poll_at"] == rfc3339(api.clock.now())
    assert made[f"{HOST}/b.xml"]["folder"] == "Tech/Blogs"
    assert made[HACKER_NEWS]["kind"] == "hackernews"
    assert {row["id"] for row in answer["sources"]} == {row["id"] for row in made.values()}


def test_importing_twice_adds_nothing(client: Client) -> None:
    send(client, LIST)
    before = sources(client)
    again = send(client, [Outline(one.url, "Other name", "Other", one.type) for one in LIST])
    assert (again["added"], again["known"], again["refused"]) == (0, 3, 0)
    assert sources(client) == before
    assert {row["status"] for row in again["sources"]} == {"known"}


def test_what_is_wrong_with_one_is_said_of_that_one(client: Client) -> None:
    bad = [
        Outline("ftp://127.0.0.1/feed", "A file"),
        Outline("http://10.0.0.1/feed", "Inside"),
        Outline("not an address"),
        Outline("http://127.0.0.1/v2/everything?apiKey=s3cret", "Key", "", "newsapi"),
    ]
    answer = send(client, [LIST[0], *bad, LIST[1], LIST[0]])
    assert [row["status"] for row in sorted(answer["sources"], key=lambda row: row["line"])].count(
        "refused"
    ) == 4
    assert (answer["added"], answer["known"], answer["refused"]) == (2, 1, 4)
    refused = {row["url"]: row for row in answer["sources"] if row["status"] == "refused"}
    assert "private" in refused["http://10.0.0.1/feed"]["problem"]
    assert "http://" in refused["ftp://127.0.0.1/feed"]["problem"]
    assert all(row["line"] > 4 and row["id"] is None for row in refused.values())
    assert len(sources(client)) == 2


def test_an_unknown_type_is_a_feed_and_a_missing_name_is_the_host(client: Client) -> None:
    sent(client, f"<opml><body><outline type='atom' xmlUrl='{HOST}/x'/></body></opml>")
    made = sources(client)[f"{HOST}/x"]
    assert (made["kind"], made["name"]) == ("feed", "127.0.0.1")


def test_many_at_once(client: Client) -> None:
    many = [Outline(f"{HOST}/{number}", f"N{number}", "Many") for number in range(450)]
    assert send(client, many)["added"] == 450
    assert send(client, many)["known"] == 450
    assert len(exported(client)) == 450


def test_an_export_is_what_was_imported(client: Client, other: Client) -> None:
    send(client, LIST)
    ok(client.post("/v1/articles", {"id": "1", "version": 1, "title": "Pushed"}), 201)
    assert sorted(exported(client)) == sorted((one.url, one.title, one.folder, one.type) for one in LIST)
    assert exported(other) == []
    document = client.get("/v1/sources/export").get_data(as_text=True)
    assert sent(other, document)["added"] == 3
    assert exported(other) == exported(client)


def test_an_administrators_list_is_the_installations(admin: Client, client: Client) -> None:
    send(admin, LIST[:1])
    assert [row["owner"] for row in sources(client).values()] == ["installation"]
    assert len(exported(admin)) == 1
    assert exported(client) == []
    assert send(client, LIST[:1])["added"] == 1


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "no element"),
        ("<html/>", "not OPML"),
        ("<opml><body>", "line 1"),
        ('<!DOCTYPE opml [<!ENTITY a "b">]><opml/>', "entities"),
    ],
)
def test_what_is_no_list_is_refused_as_a_whole(client: Client, document: str, words: str) -> None:
    assert words in sent(client, document, 422)["detail"]


def test_the_length_and_the_content_type_of_a_list(client: Client) -> None:
    sent(client, "<opml/>" + " " * 4_900_000)
    sent(client, "<opml/>" + " " * 5_000_000, 413)
    for content_type in ("text/xml", "application/xml; charset=utf-8", "application/xml+opml", None):
        ok(client.post("/v1/sources/import", data=b"<opml/>", content_type=content_type))
    problem(client.post("/v1/sources/import", data=b"<opml/>", content_type="application/json"), 415)


def test_a_folder_is_shown_changed_and_cleaned(client: Client) -> None:
    made = ok(client.post("/v1/sources", {"url": f"{HOST}/a", "folder": " Tech / / Web\nlogs/"}), 201)
    assert made["folder"] == "Tech/Web logs"
    path = f"/v1/sources/{made['id']}"
    assert ok(client.patch(path, {"folder": "Other"}))["folder"] == "Other"
    assert ok(client.patch(path, {"name": "N"}))["folder"] == "Other"
    assert ok(client.patch(path, {"folder": None}))["folder"] is None
    assert ok(client.patch(path, {"folder": "/ /"}))["folder"] is None
    problem(client.patch(path, {"folder": "x" * 201}), 422, "folder")
    problem(client.patch(path, {"folder": 5}), 422, "folder")


def test_without_a_key_there_are_no_lists(api: Api) -> None:
    problem(api.anonymous().post("/v1/sources/import"), 401)
    problem(api.anonymous().get("/v1/sources/export"), 401)
