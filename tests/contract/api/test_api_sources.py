"""`/v1/sources`."""

from typing import Any

import pytest
from sqlalchemy import update

from core.clock import rfc3339
from core.errors import Reason
from core.store import source_states
from core.store.models import Source
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

FEED = "http://127.0.0.1:9/feed.xml"


def add(client: Client, status: int = 201, **fields: Any) -> dict[str, Any]:
    """Make a source."""
    made: dict[str, Any] = ok(client.post("/v1/sources", {"url": FEED} | fields), status)
    return made


def test_a_new_source_is_due_at_once(api: Api, client: Client) -> None:
    made = add(client)
    assert made["id"].startswith("src_")
    assert (made["kind"], made["url"], made["name"]) == ("feed", FEED, "127.0.0.1")
    assert made["next_poll_at"] == rfc3339(api.clock.now())
    assert made["last_success_at"] is None
    assert made["last_error"] is None
    assert made["interval_seconds"] == 900
    assert ok(client.get(f"/v1/sources/{made['id']}")) == made
    assert ok(client.get("/v1/sources"))["data"] == [made]


def test_the_same_url_again_is_the_source_there_is(client: Client, other: Client, admin: Client) -> None:
    made = add(client, name="One", interval_seconds=60)
    assert add(client, 200, url="HTTP://127.0.0.1:9/feed.xml#top", name="Two") == made
    assert add(other)["id"] != made["id"]
    shared = add(admin)
    assert add(admin, 200)["id"] == shared["id"]
    problem(client.post("/v1/sources", {"url": FEED, "kind": "newsapi"}), 409)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": None}, "url"),
        ({"url": ""}, "url"),
        ({"url": 5}, "url"),
        ({"url": "feed.xml"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http://192.168.0.1/feed"}, "url"),
        ({"url": "http://user:secret@127.0.0.1/"}, "url"),
        ({"url": "http://127.0.0.1/" + "x" * 5_000}, "url"),
        ({"url": FEED, "kind": "push"}, "url"),
        ({"url": "push:mine"}, "url"),
        ({"url": FEED, "kind": "telepathy"}, "kind"),
        ({"url": FEED, "kind": 1}, "kind"),
        ({"url": FEED, "name": ""}, "name"),
        ({"url": FEED, "name": "x" * 201}, "name"),
        ({"url": FEED, "interval_seconds": 59}, "interval_seconds"),
        ({"url": FEED, "interval_seconds": 86_400 * 7 + 1}, "interval_seconds"),
        ({"url": FEED, "interval_seconds": 60.5}, "interval_seconds"),
        ({"url": FEED, "interval_seconds": True}, "interval_seconds"),
        ({"url": FEED, "etag": "x"}, "etag"),
        ({"url": "http://127.0.0.1/?apiKey=x", "kind": "newsapi"}, "url"),
    ],
)
def test_bad_sources_are_refused_naming_the_field(
    client: Client, body: dict[str, object], field: str
) -> None:
    problem(client.post("/v1/sources", body), 422, field)
    assert ok(client.get("/v1/sources"))["data"] == []


def test_changing(api: Api, client: Client) -> None:
    made = add(client)
    path = f"/v1/sources/{made['id']}"
    with api.store.write() as session:
        api.clock.advance(hours=1)
        later = api.clock.now().replace(year=2100)
        session.execute(update(Source).where(Source.id == made["id"]).values(next_poll_at=later))
    assert ok(client.patch(path, {"name": " A  name "}))["name"] == "A name"
    changed = ok(client.patch(path, {"interval_seconds": 60}))
    assert (changed["name"], changed["interval_seconds"]) == ("A name", 60)
    assert changed["next_poll_at"] < "2099"
    assert changed["updated_at"] == rfc3339(api.clock.now())
    assert ok(client.patch(path, {"interval_seconds": None}))["interval_seconds"] == 900
    problem(client.patch(path, {"url": FEED}), 422, "url")
    problem(client.patch(path, {"interval_seconds": 1}), 422, "interval_seconds")


def test_fetching_makes_it_due_now(api: Api, client: Client) -> None:
    made = add(client)
    api.clock.advance(minutes=5)
    answer = ok(client.post(f"/v1/sources/{made['id']}/fetch"), 202)
    assert answer["next_poll_at"] == answer["updated_at"] == rfc3339(api.clock.now())


def test_deleting(client: Client) -> None:
    path = f"/v1/sources/{add(client)['id']}"
    ok(client.delete(path), 204)
    problem(client.get(path), 404)
    problem(client.delete(path), 404)


def test_the_installations_sources_are_seen_by_all_and_changed_by_administrators(
    client: Client, admin: Client
) -> None:
    shared = add(admin)
    path = f"/v1/sources/{shared['id']}"
    assert shared["owner"] == "installation"
    assert ok(client.get(path)) == shared
    assert ok(client.get("/v1/sources"))["data"] == [shared]
    problem(client.patch(path, {"name": "mine"}), 403)
    problem(client.post(f"{path}/fetch"), 403)
    problem(client.delete(path), 403)
    assert ok(admin.patch(path, {"name": "ours"}))["name"] == "ours"
    ok(admin.delete(path), 204)


def test_other_accounts_sources_do_not_exist(client: Client, other: Client, admin: Client) -> None:
    made = add(client)
    assert made["owner"] == "account"
    path = f"/v1/sources/{made['id']}"
    for stranger in (other, admin):
        problem(stranger.get(path), 404)
        problem(stranger.patch(path, {"name": "mine"}), 404)
        problem(stranger.post(f"{path}/fetch"), 404)
        problem(stranger.delete(path), 404)
        assert ok(stranger.get("/v1/sources"))["data"] == []


def test_a_source_that_is_pushed_to_is_renamed_but_not_polled(client: Client) -> None:
    article = {"id": "1", "version": 1, "title": "One", "source": "blog"}
    pushed = ok(client.post("/v1/articles", article), 201)["source"]
    path = f"/v1/sources/{pushed['id']}"
    assert ok(client.get(path))["kind"] == "push"
    problem(client.post(f"{path}/fetch"), 409)
    problem(client.patch(path, {"interval_seconds": 60}), 422, "interval_seconds")
    ok(client.patch(path, {"name": "journal"}))
    renamed = ok(client.post("/v1/articles", article | {"id": "2", "source": "journal"}), 201)["source"]
    assert renamed == {"id": pushed["id"], "name": "journal"}
    ok(client.post("/v1/articles", article), 201)
    problem(client.patch(path, {"name": "blog"}), 409)


def test_a_source_that_is_pushed_to_may_be_made_before_anything_is(client: Client) -> None:
    made = ok(client.post("/v1/sources", {"kind": "push", "name": "my blog", "folder": "Mine"}), 201)
    assert (made["url"], made["name"], made["folder"]) == ("push:my blog", "my blog", "Mine")
    assert made["next_poll_at"] is None
    assert made["interval_seconds"] is None
    again = ok(client.post("/v1/sources", {"kind": "push", "url": "push:my  blog"}), 200)
    assert again["id"] == made["id"]
    article = {"id": "1", "version": 1, "title": "One", "source": "my blog"}
    assert ok(client.post("/v1/articles", article), 201)["source"]["id"] == made["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"url": "push:"}, "url"),
        ({"url": "push: "}, "url"),
        ({"url": "my-blog"}, "url"),
        ({"url": "push:" + "x" * 201}, "url"),
        ({"url": "push:a", "name": "b"}, "name"),
        ({"name": "a", "interval_seconds": 60}, "interval_seconds"),
    ],
)
def test_bad_sources_to_push_to_are_refused(client: Client, body: dict[str, object], field: str) -> None:
    problem(client.post("/v1/sources", body | {"kind": "push"}), 422, field)


# --- health


def test_a_source_shows_how_it_is_doing(api: Api, client: Client) -> None:
    made = add(client)
    assert (made["state"], made["state_reason"], made["merged_into"]) == ("active", None, None)
    assert (made["interval_because"], made["articles_per_week"], made["failures"]) == ("default", None, 0)
    polled = {
        "used_interval_seconds": 5_400,
        "used_interval_because": "ttl",
        "articles_weight": 20.04,
        "articles_weighed_at": api.clock.now(),
        "failures": 2,
        "last_error": "The server failed (status 500)",
        "last_error_reason": "status_5xx",
        "last_error_at": api.clock.now(),
    }
    with api.store.write() as session:
        session.execute(update(Source).where(Source.id == made["id"]).values(polled))
    shown = ok(client.get(f"/v1/sources/{made['id']}"))
    assert (shown["interval_seconds"], shown["interval_because"]) == (5_400, "ttl")
    assert (shown["articles_per_week"], shown["failures"]) == (20.0, 2)
    assert (shown["last_error"], shown["last_error_reason"]) == (polled["last_error"], "status_5xx")
    api.clock.advance(days=7)
    assert ok(client.get(f"/v1/sources/{made['id']}"))["articles_per_week"] == 7.4


def test_an_interval_of_ones_own_shows_at_once_and_goes_at_once(api: Api, client: Client) -> None:
    path = f"/v1/sources/{add(client)['id']}"
    own = ok(client.patch(path, {"interval_seconds": 60}))
    assert (own["interval_seconds"], own["interval_because"]) == (60, "yours")
    with api.store.write() as session:
        polled = {"used_interval_seconds": 60, "used_interval_because": "yours"}
        session.execute(update(Source).values(polled))
    usual = ok(client.patch(path, {"interval_seconds": None}))
    assert (usual["interval_seconds"], usual["interval_because"]) == (900, "default")


def test_what_is_pushed_to_has_no_interval(client: Client) -> None:
    article = {"id": "1", "version": 1, "title": "One", "source": "blog"}
    pushed = ok(client.post("/v1/articles", article), 201)["source"]
    shown = ok(client.get(f"/v1/sources/{pushed['id']}"))
    assert (shown["interval_seconds"], shown["interval_because"]) == (None, None)


# --- disabled and merged


def disabled(api: Api, client: Client) -> str:
    """Make a source and have it disabled by a 410; return its path."""
    made = add(client)
    with api.store.write() as session:
        source = session.get_one(Source, made["id"])
        source.failures = 3
        source_states.disable(session, source, Reason.GONE, "It is gone.", api.clock.now())
    return f"/v1/sources/{made['id']}"


def test_a_disabled_source_says_so_and_can_be_enabled(api: Api, client: Client) -> None:
    path = disabled(api, client)
    shown = ok(client.get(path))
    assert (shown["state"], shown["state_reason"], shown["next_poll_at"]) == ("disabled", "gone", None)
    assert "enable" in problem(client.post(f"{path}/fetch"), 409)["detail"]
    assert add(client, 200)["state"] == "disabled"

    api.clock.advance(minutes=5)
    for _ in range(2):
        enabled = ok(client.post(f"{path}/enable"))
        assert (enabled["state"], enabled["state_reason"], enabled["failures"]) == ("active", None, 0)
        assert enabled["next_poll_at"] == rfc3339(api.clock.now())


def test_enabling_what_is_active_changes_nothing(api: Api, client: Client) -> None:
    made = add(client)
    api.clock.advance(minutes=5)
    assert ok(client.post(f"/v1/sources/{made['id']}/enable")) == made


def test_only_who_may_change_a_source_may_enable_it(api: Api, client: Client, admin: Client) -> None:
    path = disabled(api, admin)
    problem(client.post(f"{path}/enable"), 403)
    problem(client.post("/v1/sources/src_nothing/enable"), 404)
    problem(admin.post(f"{path}/enable", {"now": True}), 422, "now")
    ok(admin.post(f"{path}/enable"))


def test_what_was_disabled_stands_in_the_owners_notices(api: Api, client: Client) -> None:
    path = disabled(api, client)
    [notice] = ok(client.get("/v1/notices"))["data"]
    assert (notice["kind"], notice["source_id"]) == ("source_disabled", path.rpartition("/")[2])
    assert (notice["channel_id"], notice["reason"], notice["text"]) == (None, "gone", "It is gone.")


def test_a_merged_source_leads_to_the_one_that_goes_on(api: Api, client: Client) -> None:
    old, new = add(client), add(client, url=FEED + "?new")
    with api.store.write() as session:
        source = session.get_one(Source, old["id"])
        assert source_states.move(session, source, new["url"], api.clock.now()).id == new["id"]
    path = f"/v1/sources/{old['id']}"
    shown = ok(client.get(path))
    assert (shown["state"], shown["state_reason"], shown["merged_into"]) == ("merged", "moved", new["id"])
    for call in ("fetch", "enable"):
        assert new["id"] in problem(client.post(f"{path}/{call}"), 409)["detail"]
    assert add(client, 200)["id"] == new["id"]
    ok(client.delete(f"/v1/sources/{new['id']}"), 204)
    problem(client.get(path), 404)
