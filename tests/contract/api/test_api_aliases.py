"""`/v1/aliases`."""

from typing import Any

import pytest

from core.query.alias_rules import MOST_ALIASES, MOST_ALIKE
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client


def test_an_administrator_makes_changes_and_removes_an_alias(api: Api, admin: Client) -> None:
    made = ok(admin.put("/v1/aliases/K8s", {"meaning": " Kubernetes "}), 201)
    assert (made["name"], made["meaning"]) == ("K8s", "Kubernetes")
    assert made["created_at"] == made["updated_at"]
    api.clock.advance(hours=1)
    changed = ok(admin.put("/v1/aliases/k8s", {"meaning": "kube"}))
    assert (changed["name"], changed["meaning"]) == ("k8s", "kube")
    assert changed["created_at"] == made["created_at"] < changed["updated_at"]
    assert ok(admin.get("/v1/aliases/K8S")) == changed
    assert ok(admin.put("/v1/aliases/k8s", {"meaning": "kube"})) == changed
    ok(admin.delete("/v1/aliases/k8S"), 204)
    problem(admin.get("/v1/aliases/k8s"), 404)
    problem(admin.delete("/v1/aliases/k8s"), 404)


def test_every_account_reads_them_and_none_writes_them(api: Api, admin: Client, client: Client) -> None:
    made = ok(admin.put("/v1/aliases/k8s", {"meaning": "kubernetes"}), 201)
    assert ok(client.get("/v1/aliases")) == {"data": [made], "next_cursor": None}
    assert ok(client.get("/v1/aliases/k8s")) == made
    many = {"aliases": [{"name": "ml", "meaning": "machine learning"}]}
    for stranger, status in ((client, 403), (api.anonymous(), 401)):
        problem(stranger.put("/v1/aliases/k8s", {"meaning": "x"}), status)
        problem(stranger.put("/v1/aliases/ml", {}), status)
        problem(stranger.delete("/v1/aliases/k8s"), status)
        problem(stranger.delete("/v1/aliases/none"), status)
        problem(stranger.post("/v1/aliases/import", many), status)
    problem(api.anonymous().get("/v1/aliases"), 401)
    problem(api.anonymous().get("/v1/aliases/k8s"), 401)
    assert ok(admin.get("/v1/aliases"))["data"] == [made]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("ci%2Fcd", "ci/cd"),
        ("C%23", "C#"),
        ("c++", "c++"),
        ("artificial%20intelligence", "artificial intelligence"),
        ("%D7%90%D7%91", "אב"),
        ("import", "import"),
    ],
)
def test_names_of_all_kinds_stand_in_a_path(admin: Client, path: str, name: str) -> None:
    assert ok(admin.put(f"/v1/aliases/{path}", {"meaning": "thing"}), 201)["name"] == name
    assert ok(admin.get(f"/v1/aliases/{path}"))["name"] == name
    ok(admin.delete(f"/v1/aliases/{path}"), 204)
    assert ok(admin.get("/v1/aliases"))["data"] == []


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("k8s", {}, "meaning"),
        ("k8s", {"meaning": ""}, "meaning"),
        ("k8s", {"meaning": "&"}, "meaning"),
        ("k8s", {"meaning": "K8S"}, "meaning"),
        ("k8s", {"meaning": None}, "meaning"),
        ("k8s", {"meaning": ["kubernetes"]}, "meaning"),
        ("k8s", {"meaning": "x" * 101}, "meaning"),
        ("k8s", {"meaning": "kubernetes", "name": "k8s"}, "name"),
        ("&", {"meaning": "and"}, "name"),
        ("x" * 101, {"meaning": "y"}, "name"),
    ],
)
def test_bad_aliases_are_refused_naming_the_field(
    admin: Client, name: str, body: dict[str, Any], field: str
) -> None:
    problem(admin.put(f"/v1/aliases/{name}", body), 422, field)
    assert ok(admin.get("/v1/aliases"))["data"] == []


def test_names_that_would_crowd_a_meaning_are_refused(admin: Client) -> None:
    for number in range(MOST_ALIKE - 1):
        ok(admin.put(f"/v1/aliases/n{number}", {"meaning": "thing"}), 201)
    problem(admin.put("/v1/aliases/another", {"meaning": "thing"}), 422, "meaning")
    ok(admin.delete("/v1/aliases/n3"), 204)
    ok(admin.put("/v1/aliases/another", {"meaning": "thing"}), 201)


def test_they_are_listed_newest_first_a_page_at_a_time(admin: Client) -> None:
    for number in range(5):
        ok(admin.put(f"/v1/aliases/n{number}", {"meaning": f"m{number}"}), 201)
    first = ok(admin.get("/v1/aliases?limit=3"))
    second = ok(admin.get(f"/v1/aliases?limit=3&cursor={first['next_cursor']}"))
    names = [row["name"] for page in (first, second) for row in page["data"]]
    assert sorted(names) == [f"n{number}" for number in range(5)]
    assert second["next_cursor"] is None
    problem(admin.get("/v1/aliases?limit=201"), 422, "limit")
    problem(admin.get("/v1/aliases?q=n1"), 422, "q")


def test_many_are_stored_at_once_but_for_those_that_are_refused(admin: Client) -> None:
    ok(admin.put("/v1/aliases/ml", {"meaning": "markup language"}), 201)
    given = [
        {"name": "k8s", "meaning": "kubernetes"},
        {"name": "&", "meaning": "and"},
        {"name": "K8S", "meaning": "other"},
        {"name": "x"},
        {"name": "y", "meaning": 5},
        {"name": "z", "meaning": "z"},
        {"name": "w", "meaning": "v", "also": "u"},
        {"name": "ML", "meaning": "machine learning"},
    ]
    done = ok(admin.post("/v1/aliases/import", {"aliases": given}))
    assert done["stored"] == 2
    assert [(one["index"], one["field"]) for one in done["refused"]] == [
        (1, "name"),
        (2, "name"),
        (3, "meaning"),
        (4, "meaning"),
        (5, "meaning"),
        (6, "also"),
    ]
    assert all(one["message"] for one in done["refused"])
    listed = {row["name"]: row["meaning"] for row in ok(admin.get("/v1/aliases"))["data"]}
    assert listed == {"k8s": "kubernetes", "ML": "machine learning"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "aliases"),
        ({"aliases": []}, "aliases"),
        ({"aliases": {"k8s": "kubernetes"}}, "aliases"),
        ({"aliases": ["k8s"]}, "aliases.0"),
        ({"aliases": [{}] * (MOST_ALIASES + 1)}, "aliases"),
        ({"names": []}, "names"),
    ],
)
def test_an_import_of_something_else_is_refused(admin: Client, body: dict[str, Any], field: str) -> None:
    problem(admin.post("/v1/aliases/import", body), 422, field)


def test_an_alias_brings_an_article_to_a_subscriber_until_it_is_removed(
    api: Api, admin: Client, client: Client
) -> None:
    for topic in ("kubernetes", "k8s"):
        ok(client.post("/subscribe", {"topic": topic}))

    def told(title: str) -> dict[str, int]:
        ok(admin.post("/v1/articles", {"id": title, "version": 1, "title": title}), 201)
        api.route()
        found = {topic: ok(client.get(f"/news?topic={topic}"))["articles"] for topic in ("kubernetes", "k8s")}
        return {topic: sum(one["id"] == title for one in articles) for topic, articles in found.items()}

    assert told("k8s before") == {"kubernetes": 0, "k8s": 1}
    ok(admin.put("/v1/aliases/k8s", {"meaning": "kubernetes"}), 201)
    assert told("k8s now") == {"kubernetes": 1, "k8s": 1}
    assert told("Kubernetes now") == {"kubernetes": 1, "k8s": 1}
    ok(admin.delete("/v1/aliases/k8s"), 204)
    assert told("Kubernetes afterwards") == {"kubernetes": 1, "k8s": 0}


def test_earlier_articles_are_found_as_later_ones_are(api: Api, admin: Client, client: Client) -> None:
    ok(admin.post("/v1/articles", {"id": "1", "version": 1, "title": "Kubernetes"}), 201)
    api.route()
    assert ok(client.get("/v1/articles?q=k8s"))["data"] == []
    ok(admin.put("/v1/aliases/k8s", {"meaning": "kubernetes"}), 201)
    assert [one["id"] for one in ok(client.get("/v1/articles?q=k8s"))["data"]] == ["1"]
    assert [one["id"] for one in ok(client.post("/subscribe", {"topic": "K8s"}))["articles"]] == ["1"]
