"""`clarion up`: its folder, its key, its source, and its end."""

import re
from pathlib import Path

import requests

from tests.e2e.commands import clarion
from tests.e2e.embedded import up
from tests.e2e.feeds import serve_feed
from tests.e2e.rest import titles, verified
from tests.receiver import Hang, Receiver
from tests.servers.process import wait_until

KEY_SHOWN = "Administrator key, shown only now: "
KEPT = "Mail is not sent but kept: {}/mailbox (any name, the key as password)"


def permissions(path: Path) -> int:
    """Return the permission bits."""
    return path.stat().st_mode & 0o777


def kept_mail(url: str, key: str, subject: str) -> str:
    """Return the page of a mail in the mailbox, once it is there."""
    found: list[str] = []

    def is_there() -> bool:
        listed = requests.get(f"{url}/mailbox", auth=("me", key), timeout=10).text
        found.extend(re.findall(rf'href="(mailbox/[^"]+)">{subject}', listed))
        return bool(found)

    assert wait_until(is_there, 30)
    return requests.get(f"{url}/{found[0]}", auth=("me", key), timeout=10).text


def test_its_folder_is_private_and_its_key_is_shown_once(tmp_path: Path) -> None:
    data = tmp_path / "some" / "where"
    with up(data) as first:
        assert permissions(data) == 0o700
        assert permissions(data / "up.json") == permissions(data / "secret.key") == 0o600
        assert first.process.output.splitlines() == [
            KEY_SHOWN + first.rest.key,
            f"Clarion is up at {first.rest.url}",
            KEPT.format(first.rest.url),
        ]
        first.rest.follow("gardening", "http://127.0.0.1:9/hook")
        first.process.terminate()
    complaint = clarion("channels", "--data", data).complaint
    assert complaint == f"no API answers at {first.rest.url}: is `clarion up` running?"
    with up(data) as second:
        url = second.rest.url
        assert second.process.output.splitlines() == [f"Clarion is up at {url}", KEPT.format(url)]
        assert second.rest.key == first.rest.key
        assert [row["query"] for row in second.rest.rows("/v1/subscriptions")] == ["gardening"]
        second.process.terminate()
    assert "Traceback" not in first.process.errors + second.process.errors


def test_a_feed_arrives_signed_and_a_second_poll_brings_only_what_is_new(
    tmp_path: Path, receiver: Receiver
) -> None:
    with up(tmp_path) as running:
        made = running.rest.follow("whales", receiver.url + "/hook")
        source = running.rest.add_source(serve_feed(receiver, ["Whales sing", "Whales rest", "Owls hunt"]))
        receiver.wait_for(2, 30, path="/hook")
        serve_feed(receiver, ["Whales sing", "Whales rest", "Whales return"])
        running.rest.fetch(source)
        arrived = receiver.wait_for(3, 30, path="/hook")
        assert titles(arrived) == ["Whales rest", "Whales return", "Whales sing"]
        events = [verified(request, made["channel"]["secret"]) for request in arrived]
        assert {event["type"] for event in events} == {"article.published"}
        assert {event["data"]["article"]["source"]["id"] for event in events} == {source}


def test_without_a_mail_server_mail_is_read_and_answered_in_the_browser(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        url, key = running.rest.url, running.rest.key
        channel = {"kind": "email", "address": "reader@example.com"}
        made = running.rest.call("POST", "/v1/subscriptions", {"query": "whales", "channel": channel}, 201)
        asked = kept_mail(url, key, "Please confirm")
        link = re.search(rf"{re.escape(url)}/mail/confirm/[\w./-]+", asked)
        assert link is not None
        assert requests.post(link[0], timeout=10).ok
        running.rest.publish("w1", "Whales sing")
        told = kept_mail(url, key, "Whales sing")
        leave = re.search(rf"List-Unsubscribe: &lt;({re.escape(url)}/mail/unsubscribe/[^&]+)&gt;", told)
        assert leave is not None
        assert requests.post(leave[1], data={"List-Unsubscribe": "One-Click"}, timeout=10).ok
        state = running.rest.get(f"/v1/channels/{made['channel_id']}")
        assert (state["state"], state["state_reason"]) == ("unverified", "unsubscribed")


def test_it_ends_while_a_receiver_hangs_and_delivers_when_it_is_back(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.script("/hook", Hang())
    with up(tmp_path) as running:
        running.rest.follow("volcanoes", receiver.url + "/hook")
        running.rest.publish("v1", "Volcanoes wake")
        receiver.wait_for(1, 30, path="/hook")
        running.process.terminate()
        receiver.script("/hook")
        with up(tmp_path):
            first, second = receiver.wait_for(2, 30, path="/hook")
            assert first.body == second.body
            assert first.header("webhook-id") == second.header("webhook-id")
