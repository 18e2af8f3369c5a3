"""The command line's way to a running API."""

import os
from pathlib import Path
from typing import Any

import requests

from clarion.data_folder import DataFolder
from core.errors import ClarionError

TIMEOUT_SECONDS = 30


class ApiError(ClarionError):
    """The API refused a request; the message says which field and why."""


class ApiClient:
    """Sends requests to one API with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {key}"

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a request and return the answer's JSON (None when it has none).

        Raises ApiError with the problem's words.
        """
        params = {name: value for name, value in query.items() if value is not None}
        return self._json(self._answer(method, path, json=body, params=params))

    def upload(self, path: str, document: bytes, content_type: str) -> Any:
        """POST a document that is no JSON, and return the answer's JSON; raises ApiError."""
        headers = {"Content-Type": content_type}
        return self._json(self._answer("POST", path, data=document, headers=headers))

    def download(self, path: str) -> bytes:
        """GET a document that is no JSON; raises ApiError."""
        return self._answer("GET", path).content

    def _answer(self, method: str, path: str, **request: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self.url + path, timeout=TIMEOUT_SECONDS, **request)
        except requests.RequestException as error:
            raise ApiError(f"no API answers at {self.url}: is `clarion up` running?") from error
        if answer.status_code >= 400:
            raise ApiError(_words(answer))
        return answer

    def _json(self, answer: requests.Response) -> Any:
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ApiError(f"what answers at {self.url} is not the API: check CLARION_URL") from error

    def pages(self, path: str, limit: int, **query: Any) -> list[dict[str, Any]]:
        """Return up to `limit` rows of a list, page by page."""
        rows: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(rows) < limit:
            page = self.call("GET", path, limit=min(200, limit - len(rows)), cursor=cursor, **query)
            rows.extend(page["data"])
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return rows


def _words(answer: requests.Response) -> str:
    try:
        problem = answer.json()
        errors = [f"{item['field']}: {item['message']}" for item in problem.get("errors", [])]
        return "; ".join(errors) or str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the API answered {answer.status_code}"


def connect(data: Path) -> ApiClient:
    """Return a client for `CLARION_URL` and `CLARION_API_KEY`, else for what `clarion up` left in `data`."""
    url, key = os.environ.get("CLARION_URL"), os.environ.get("CLARION_API_KEY")
    if url and key:
        return ApiClient(url, key)
    if url:
        raise ClarionError("CLARION_URL is set, so CLARION_API_KEY must be too")
    address = DataFolder(data).address()
    if address is None:
        raise ClarionError(
            f"nothing is known of a running Clarion: start `clarion up` (its folder {data} has no up.json), "
            "or set CLARION_URL and CLARION_API_KEY"
        )
    return ApiClient(address.url, address.key)
