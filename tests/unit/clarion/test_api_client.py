"""The command line's way to the API, and the words it has for what comes back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarion.api_client import ApiClient, ApiError, connect
from clarion.data_folder import Address, DataFolder
from core.errors import ClarionError
from tests.receiver import Close, Raw, Receiver, Respond
from tests.servers import free_port


@pytest.fixture
def client(receiver: Receiver) -> Iterator[ApiClient]:
    made = ApiClient(receiver.url + "/", "clk_swordfish")
    yield made
    made._session.close()


def answers(status: int, value: Any) -> Respond:
    return Respond(status, json.dumps(value).encode(), (("Content-Type", "application/json"),))


def refusal(client: ApiClient) -> str:
    with pytest.raises(ApiError) as caught:
        client.call("GET", "/v1/sources")
    return str(caught.value)


def test_a_request_has_the_key_and_json(client: ApiClient, receiver: Receiver) -> None:
    receiver.script("/v1/sources", answers(201, {"id": "src_1"}))
    assert client.call("POST", "/v1/sources", {"url": "https://example.com/é"}, owner="me", limit=None) == {
        "id": "src_1"
    }
    (request,) = receiver.requests
    assert (request.method, request.target) == ("POST", "/v1/sources?owner=me")
    assert request.header("authorization") == "Bearer clk_swordfish"
    assert request.json() == {"url": "https://example.com/é"}


def test_no_content_is_none(client: ApiClient, receiver: Receiver) -> None:
    receiver.script("/v1/sources", Respond(204))
    assert client.call("DELETE", "/v1/sources") is None


def test_the_environments_proxies_and_netrc_are_not_asked(
    client: ApiClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    receiver.script("/v1/sources", answers(200, {}))
    assert client.call("GET", "/v1/sources") == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            answers(
                422,
                {
                    "title": "Unprocessable Content",
                    "errors": [
                        {"field": "url", "message": "must start with http"},
                        {"field": "kind", "message": "is not known"},
                    ],
                },
            ),
            "url: must start with http; kind: is not known",
        ),
        (
            answers(404, {"title": "Not Found", "detail": "there is no such source"}),
            "there is no such source",
        ),
        (answers(401, {"title": "Unauthorized", "errors": []}), "Unauthorized"),
        (answers(400, {"title": "Bad Request", "errors": [{"oops": 1}]}), "the API answered 400"),
        (answers(400, {"title": "Bad Request", "errors": "text"}), "the API answered 400"),
        (answers(400, ["not a problem"]), "the API answered 400"),
        (answers(500, {}), "the API answered 500"),
        (Respond(502, b"<html>Bad Gateway</html>"), "the API answered 502"),
        (Respond(500), "the API answered 500"),
        (Respond(200, b"<html>Welcome to nginx</html>"), "not the API"),
    ],
)
def test_refusals_in_words(client: ApiClient, receiver: Receiver, answer: Respond, words: str) -> None:
    receiver.script("/v1/sources", answer)
    assert words in refusal(client)


@pytest.mark.parametrize("answer", [Close(), Raw(b"SSH-2.0-OpenSSH_9\r\n")])
def test_what_is_no_api(client: ApiClient, receiver: Receiver, answer: Close | Raw) -> None:
    receiver.script("/v1/sources", answer)
    assert refusal(client) == f"no API answers at {receiver.url}: is `clarion up` running?"


def test_nobody_there() -> None:
    client = ApiClient(f"http://127.0.0.1:{free_port()}", "key")
    assert "is `clarion up` running?" in refusal(client)


# --- lists


def test_a_list_is_read_page_by_page(client: ApiClient, receiver: Receiver) -> None:
    pages = [
        {"data": [{"n": n} for n in range(200)], "next_cursor": "c1"},
        {"data": [{"n": n} for n in range(200, 250)], "next_cursor": "c2"},
    ]
    receiver.script("/v1/deliveries", *(answers(200, page) for page in pages))
    rows = client.pages("/v1/deliveries", 250, state="failed")
    assert [row["n"] for row in rows] == list(range(250))
    assert [request.target for request in receiver.requests] == [
        "/v1/deliveries?limit=200&state=failed",
        "/v1/deliveries?limit=50&cursor=c1&state=failed",
    ]


def test_a_list_ends_with_its_last_page(client: ApiClient, receiver: Receiver) -> None:
    receiver.script("/v1/deliveries", answers(200, {"data": [{"n": 1}], "next_cursor": None}))
    assert client.pages("/v1/deliveries", 250) == [{"n": 1}]
    assert len(receiver.requests) == 1


# --- which API


def test_the_environment_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DataFolder(tmp_path).write_address(Address("http://127.0.0.1:1", "other"))
    monkeypatch.setenv("CLARION_URL", "http://127.0.0.1:2/")
    monkeypatch.setenv("CLARION_API_KEY", "key")
    assert connect(tmp_path).url == "http://127.0.0.1:2"


def test_else_what_runs_from_the_data_folder(tmp_path: Path) -> None:
    DataFolder(tmp_path).write_address(Address("http://127.0.0.1:1", "key"))
    assert connect(tmp_path).url == "http://127.0.0.1:1"


def test_a_url_without_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DataFolder(tmp_path).write_address(Address("http://127.0.0.1:1", "not for others"))
    monkeypatch.setenv("CLARION_URL", "http://127.0.0.1:2")
    with pytest.raises(ClarionError, match="CLARION_API_KEY must be too"):
        connect(tmp_path)


def test_where_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(ClarionError, match=r"start `clarion up` .* or set CLARION_URL and CLARION_API_KEY"):
        connect(tmp_path)
