"""The commands that talk to a running Clarion."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import Command, Ended, clarion, side_by_side, succeed, succeeds
from tests.e2e.embedded import Up, up
from tests.e2e.feeds import serve_feed
from tests.e2e.rest import titles, verified
from tests.receiver import Receiver, Respond


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One installation for all tests; each follows topics of its own."""
    with up(tmp_path_factory.mktemp("up")) as started:
        yield started


def test_sources_are_added_listed_and_fetched(running: Up, receiver: Receiver) -> None:
    data, url = running.data, serve_feed(receiver, ["Lighthouses at night"])
    running.rest.follow("lighthouses", receiver.url + "/hook")
    source_id, shown_url = succeeds("sources", "add", url, "--name", "Coast", "--data", data).split()
    assert shown_url == url
    receiver.wait_for(1, 30, path="/hook")
    serve_feed(receiver, ["Lighthouses by day"])
    succeeds("sources", "fetch", source_id, "--data", data)
    assert titles(receiver.wait_for(2, 30, path="/hook")) == ["Lighthouses at night", "Lighthouses by day"]

    table, listed = succeed(
        ("sources", "list", "--data", data), ("sources", "list", "--json", "--data", data)
    )
    header, *lines = [line.split()[:4] for line in table.splitlines()]
    assert header == ["id", "kind", "name", "url"]
    assert [source_id, "feed", "Coast", url] in lines
    (row,) = [row for row in json.loads(listed) if row["id"] == source_id]
    assert (row["name"], row["url"], row["last_error"]) == ("Coast", url, None)


def test_the_feed_of_a_page_is_found_and_lists_go_out_and_in(running: Up, receiver: Receiver) -> None:
    data, feed = running.data, serve_feed(receiver, ["Tides"], "/news/tides.xml")
    page = "<html><head><link rel=alternate type='application/rss+xml' href=/news/tides.xml></head></html>"
    site = receiver.script("/news/", Respond(body=page.encode()))
    added = succeeds("sources", "add", site, "--folder", "Sea/Coast", "--data", data)
    assert added.split()[1] == feed
    assert "no feed" in clarion("sources", "add", receiver.url + "/none", "--data", data).complaint

    exported = succeeds("sources", "export", "--data", data)
    assert '<outline text="Sea">\n<outline text="Coast">' in exported
    again = succeeds("sources", "import", "-", "--data", data, stdin=exported)
    assert again.startswith("0 added, ")
    mixed = exported.replace("/news/tides.xml", "/news/other.xml").replace(
        "<body>", "<body><outline xmlUrl='x'/>"
    )
    done = clarion("sources", "import", "-", "--data", data, stdin=mixed)
    assert done.output.startswith("1 added, ")
    assert done.errors.splitlines()[0].startswith("line 4: x: url: ")


def test_what_is_published_from_files_reaches_the_webhook(
    running: Up, receiver: Receiver, tmp_path: Path
) -> None:
    data = running.data
    subscribed = succeeds("subscribe", "comets", "--webhook", receiver.url + "/hook", "--data", data)
    said = {line.split()[0]: line.split()[1] for line in subscribed.splitlines()}
    articles = [
        {"id": f"c{number}", "version": 1, "title": f"Comets pass {number} “ä”"} for number in range(6)
    ]
    (tmp_path / "one.json").write_text(json.dumps(articles[0], indent=2))
    (tmp_path / "array.json").write_text(json.dumps(articles[1:3], ensure_ascii=False), encoding="utf-8")
    (tmp_path / "lines.ndjson").write_text("\n\n".join(map(json.dumps, articles[3:5])) + "\n")
    files = [tmp_path / name for name in ("one.json", "array.json", "lines.ndjson")]
    printed = "".join(succeed(*(("publish", file, "--data", data) for file in files)))
    printed += succeeds("publish", "-", "--data", data, stdin=json.dumps(articles[5]))

    assert [line.split()[1:] for line in printed.splitlines()] == [
        ["version", "1", f"c{number}"] for number in range(6)
    ]
    arrived = receiver.wait_for(6, 30, path="/hook")
    events = [verified(request, said["secret"]) for request in arrived]
    told = {event["data"]["article"]["uid"]: event["data"]["article"]["title"] for event in events}
    assert told == dict(
        zip((line.split()[0] for line in printed.splitlines()), map(_title, articles), strict=True)
    )

    running.rest.wait_until_finished(said["channel"])
    all_ = ("deliveries", "--channel", said["channel"], "--data", data)
    table, four = succeed(all_, (*all_, "--state", "delivered", "--limit", "4", "--json"))
    assert len(table.splitlines()) == 7
    assert all("delivered" in line and "Comets pass" in line for line in table.splitlines()[1:])
    assert [row["state"] for row in json.loads(four)] == ["delivered"] * 4
    assert {row["id"] for row in json.loads(four)} < {request.header("webhook-id") for request in arrived}


def _title(article: dict[str, object]) -> object:
    return article["title"]


def test_a_chat_is_told_at_once_and_then_of_all_that_came_together(running: Up, receiver: Receiver) -> None:
    path = "/services/T00000001/B00000001/abcdefghijklmnop12345678"
    receiver.script(path, Respond(200, b"ok"))
    subscribed = succeeds("subscribe", "geysers", "--slack", receiver.url + path, "--data", running.data)
    channel_id = subscribed.splitlines()[1].split()[1]
    for number in range(4):
        running.rest.publish(f"g{number}", f"Geysers erupt {number}")
    first, burst = (request.body.decode() for request in receiver.wait_for(2, 40, path=path))
    assert [f"Geysers erupt {number}" in first for number in range(4)] == [True, False, False, False]
    assert [f"Geysers erupt {number}" in burst for number in range(4)] == [False, True, True, True]
    running.rest.wait_until_finished(channel_id)
    listed = succeeds("deliveries", "--channel", channel_id, "--data", running.data, "--json")
    assert [row["state"] for row in json.loads(listed)] == ["delivered"] * 4
    assert len({row["message_id"] for row in json.loads(listed)}) == 2
    shown = succeeds("channels", "--data", running.data)
    assert "/services/T00000001/B00000001/…" in shown
    assert "abcdefghijklmnop12345678" not in shown + subscribed


def test_an_alias_holds_until_it_is_removed(running: Up, receiver: Receiver) -> None:
    data, rest = running.data, running.rest
    rest.follow("dirigibles", receiver.url + "/hook")
    lines = "zeppelins = Dirigibles\nballoons, dirigibles\n"
    assert succeeds("aliases", "import", "-", "--data", data, stdin=lines) == "2 of 2 aliases are set\n"
    rest.publish("z1", "Zeppelins are back")
    assert titles(receiver.wait_for(1, 30, path="/hook")) == ["Zeppelins are back"]
    succeeds("aliases", "remove", "ZEPPELINS", "--data", data)
    rest.publish("z2", "Zeppelins are gone")
    rest.publish("z3", "Balloons are here")
    assert titles(receiver.wait_for(2, 30, path="/hook")) == ["Balloons are here", "Zeppelins are back"]
    assert "zeppelins" not in succeeds("aliases", "list", "--data", data)


def test_channels_are_listed_with_what_they_reach(running: Up) -> None:
    mailed = succeeds("subscribe", "tides", "--email", "reader@example.com", "--data", running.data)
    channel_id = mailed.splitlines()[1].split()[1]
    assert "reader@example.com is asked by mail first" in mailed
    table, listed = succeed(
        ("channels", "--data", running.data), ("channels", "--json", "--data", running.data)
    )
    rows = [line.split()[:4] for line in table.splitlines()]
    assert [channel_id, "email", "unverified", "reader@example.com"] in rows
    addresses = {row["id"]: row.get("address") for row in json.loads(listed)}
    assert addresses[channel_id] == "reader@example.com"


def test_a_channel_is_tried_out(running: Up, receiver: Receiver) -> None:
    url = receiver.script("/tried", Respond(204), Respond(500, b"out of order"))
    channel_id = running.rest.follow("meteors", url)["channel_id"]
    works = succeeds("channels", "test", channel_id, "--json", "--data", running.data)
    assert (json.loads(works)["delivered"], json.loads(works)["status"]) == (True, 204)
    fails = clarion("channels", "test", channel_id, "--data", running.data)
    assert (fails.code, fails.errors) == (1, "")
    assert "status_5xx" in fails.output
    assert "out of order" in fails.output
    assert titles(receiver.requests_for("/tried")) == ["This is a test from Clarion"] * 2


def test_a_channel_is_paused_recovered_and_resumed(running: Up, receiver: Receiver) -> None:
    data, channel_id = running.data, running.rest.follow("eclipses", receiver.url + "/shade")["channel_id"]
    assert "paused" in succeeds("channels", "pause", channel_id, "--data", data)
    running.rest.publish("eclipse", "Eclipses near you")
    (row,) = json.loads(succeeds("deliveries", "--channel", channel_id, "--json", "--data", data))
    since = ("--since", row["created_at"])
    retried, recovered = succeed(
        ("deliveries", "retry", row["id"], "--data", data),
        ("channels", "recover", channel_id, *since, "--data", data),
    )
    assert retried.split()[:4] == ["id", row["id"], "state", "held"]
    assert recovered.split() == ["recovered", "0"]
    assert receiver.requests_for("/shade") == []
    assert "active" in succeeds("channels", "resume", channel_id, "--data", data)
    receiver.wait_for(1, 30, path="/shade")


def test_a_query_is_tried_before_anybody_subscribes(running: Up) -> None:
    running.rest.follow("glaciers", "http://127.0.0.1:9/glaciers")
    running.rest.publish("glacier", "Glaciers retreat")
    running.rest.publish("glacier-2", "A lake and its glacier")
    trial = ("preview", 'glac* -"glaciers return"', "--data", running.data)
    shown, answered = succeed(trial, (*trial, "--limit", "1", "--json"))
    first, _, newest, _, older = shown.splitlines()
    assert first.startswith("2 of ")
    assert "A lake and its *glacier*" in newest
    assert "*Glaciers* retreat" in older
    found = json.loads(answered)
    assert [row["id"] for row in found["data"]] == ["glacier-2"]
    assert found["data"][0]["why"]["terms"] == ["glac*"]


def test_a_new_key_is_that_of_its_account(running: Up) -> None:
    key = succeeds("keys", "create", "--account", "readers", "--data", running.data).strip()
    env = {"CLARION_URL": running.rest.url, "CLARION_API_KEY": key}
    assert clarion("deliveries", "--json", env=env).output.strip() == "[]"
    assert "administrator" in clarion("keys", "create", env=env).complaint
    env["CLARION_API_KEY"] = key + "x"
    assert "key" in clarion("channels", env=env).complaint


def test_the_doctor_finds_a_running_installation_sound(running: Up) -> None:
    found = dict(line.split()[1::-1] for line in succeeds("doctor", "--data", running.data).splitlines())
    assert set(found.values()) == {"ok"}
    assert {"database", "migrations", "broker", "clock", "leader", "mail"} <= found.keys()


def test_the_doctor_says_what_to_do(tmp_path: Path) -> None:
    done = clarion("doctor", "--data", tmp_path / "nothing")
    assert done.complaint == "something needs attention"
    assert "run `clarion up` or `clarion migrate`" in done.output
    assert not (tmp_path / "nothing").exists()


REFUSED = {
    "a bad query": (["subscribe", "comets AND (", "--webhook", "http://127.0.0.1:9/"], "query"),
    "a bad query to try": (["preview", 'comets "'], "query"),
    "a webhook that is no URL": (["subscribe", "comets", "--webhook", "example"], "channel.url"),
    "a webhook inside": (["subscribe", "comets", "--webhook", "http://10.0.0.1/"], "channel.url"),
    "no channel": (["subscribe", "comets"], "--webhook URL or --email ADDRESS"),
    "a source that is no URL": (["sources", "add", "ftp://example.com/feed"], "url"),
    "a page inside": (["sources", "add", "http://10.0.0.1/"], "private"),
    "a list that is none": (["sources", "import", "nowhere.opml"], "cannot read nowhere.opml"),
    "an unknown source": (["sources", "fetch", "src_nothing"], "source"),
    "an unknown delivery": (["deliveries", "retry", "dlv_nothing"], "delivery"),
    "an unknown channel": (["channels", "test", "ch_nothing"], "channel"),
    "a time in the future": (["channels", "recover", "ch_1", "--since", "9999-01-01T00:00:00Z"], "since"),
    "a file that is not there": (["publish", "nowhere.json"], "cannot read nowhere.json"),
}


@pytest.fixture(scope="module")
def refused(running: Up) -> dict[str, Ended]:
    """How all of them ended, run side by side."""
    commands: list[Command] = [(*arguments, "--data", running.data) for arguments, _words in REFUSED.values()]
    return dict(zip(REFUSED, side_by_side(*commands), strict=True))


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_said_in_one_line(refused: dict[str, Ended], what: str) -> None:
    assert REFUSED[what][1] in refused[what].complaint
    assert refused[what].output == ""


def test_articles_that_are_refused_are_named_and_the_others_published(running: Up, tmp_path: Path) -> None:
    file = tmp_path / "mixed.ndjson"
    file.write_text('{"id": "m1"}\n{"id": "m2", "version": 1, "title": "Fine"}\n')
    done = clarion("publish", file, "--data", running.data)
    assert done.code == 1
    assert done.output.split()[1:] == ["version", "1", "m2"]
    refusal, summary = done.errors.splitlines()
    assert refusal.startswith("article 1: ")
    assert "title" in refusal
    assert summary == "clarion: 1 of 2 articles were not published"


def test_a_port_in_use_is_said(running: Up, tmp_path: Path) -> None:
    port = running.rest.url.rpartition(":")[2]
    complaint = clarion("up", "--data", tmp_path, "--port", port).complaint
    assert complaint.startswith(f"cannot listen on 127.0.0.1:{port}")


def test_where_nothing_has_run_that_is_said(tmp_path: Path) -> None:
    assert "start `clarion up`" in clarion("channels", "--data", tmp_path).complaint
