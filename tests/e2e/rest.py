"""A client of the REST API such as anybody may write."""

from dataclasses import dataclass
from typing import Any

import requests
from standardwebhooks import Webhook

from tests.receiver import Request
from tests.servers.process import wait_until

PATIENCE_SECONDS = 60
_UNFINISHED = {"pending", "sending"}


@dataclass(frozen=True)
class Rest:
    """One API and one key to it."""

    url: str
    key: str

    def call(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        """Send a request and return the JSON of its answer, which must have this status."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=30)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def get(self, path: str) -> Any:
        """Return what is there."""
        return self.call("GET", path)

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Return a list of at most one page."""
        page = self.get(path + ("&" if "?" in path else "?") + "limit=200")
        assert page["next_cursor"] is None, f"more than a page in {path}"
        return list(page["data"])

    def publish(self, name: str, title: str) -> str:
        """POST an article and return its uid."""
        body = {"id": name, "version": 1, "title": title}
        return str(self.call("POST", "/v1/articles", body, 201)["uid"])

    def follow(self, topic: str, url: str, **more: Any) -> dict[str, Any]:
        """Subscribe a webhook to a topic."""
        channel = {"kind": "webhook", "url": url}
        body = {"topic": topic, "channel": channel, **more}
        return dict(self.call("POST", "/v1/subscriptions", body, 201))

    def add_source(self, url: str) -> str:
        """Add a feed and return its id."""
        return str(self.call("POST", "/v1/sources", {"url": url}, 201)["id"])

    def fetch(self, source_id: str) -> None:
        """Have a source polled now."""
        self.call("POST", f"/v1/sources/{source_id}/fetch", expect=202)

    def leader(self) -> str | None:
        """Return which instance leads."""
        holder = self.get("/v1/cluster")["leader"]
        return None if holder is None else str(holder)

    def wait_until_finished(self, channel_id: str) -> list[dict[str, Any]]:
        """Return a channel's deliveries once there are some and none is under way any more."""
        path = f"/v1/deliveries?channel_id={channel_id}"

        def finished() -> bool:
            rows = self.rows(path)
            return bool(rows) and not any(row["state"] in _UNFINISHED for row in rows)

        assert wait_until(finished, PATIENCE_SECONDS, 0.2), self.rows(path)
        return self.rows(path)


def verified(request: Request, secret: str) -> dict[str, Any]:
    """Return a webhook's event, whose signature the specification's own library vouches for."""
    headers = {name.lower(): value for name, value in request.headers}
    event = Webhook(secret).verify(request.body, headers)
    assert isinstance(event, dict)
    return event


def titles(requests_: list[Request]) -> list[str]:
    """Return the titles of the articles that webhooks told of, sorted."""
    return sorted(request.json()["data"]["article"]["title"] for request in requests_)
