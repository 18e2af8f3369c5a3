"""What every call has in common: keys, bodies, errors, headers."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from api.channel_setup import SharedFields
from api.new_sources import NewSourceInput
from api.publishing import ArticleInput
from api.resources.keys import NewKey
from api.resources.subscriptions import NewSubscriptionInput
from core.errors import Unavailable
from core.store.engine import Store
from tests.contract.api.answers import ok, problem
from tests.contract.api.conftest import Api, Client

PROTECTED = [
    ("GET", "/v1/channels"),
    ("POST", "/v1/channels"),
    ("GET", "/v1/channels/ch_1"),
    ("GET", "/v1/subscriptions"),
    ("GET", "/v1/sources"),
    ("GET", "/v1/articles"),
    ("GET", "/v1/news"),
    ("GET", "/v1/deliveries"),
    ("GET", "/v1/keys"),
    ("GET", "/v1/cluster"),
    ("POST", "/subscribe"),
    ("GET", "/news"),
]
RESOURCES = ["channels", "subscriptions", "sources", "articles", "deliveries"]
WRITING = [
    "/v1/channels",
    "/v1/subscriptions",
    "/v1/sources",
    "/v1/articles",
    "/v1/keys",
    "/subscribe",
    "/unsubscribe",
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer  ", "Basic dTpw", "Bearer wrong", "Bearer \xff\xfe"]
)
def test_without_a_good_key_nothing_is_told(
    api: Api, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = api.anonymous().call(method, path, headers=headers)
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_scheme_may_be_written_in_any_case(api: Api, client: Client) -> None:
    ok(api.anonymous().get("/v1/channels", headers={"Authorization": f"bearer {client.key}"}))


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/nothing", "//v1/channels", "/v1/channels/", "/docs"]
)
def test_unknown_addresses(client: Client, path: str) -> None:
    problem(client.get(path), 404)


def test_a_method_that_an_address_does_not_take(client: Client) -> None:
    answer = client.call("PUT", "/v1/channels")
    problem(answer, 405)
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize(
    "id_", ["x", "%00", "a%00b", "%ff", "..%2Fx", "%F0%9F%98%80", "'--", "x" * 5_000, "ch_1%0A", "-1"]
)
def test_odd_ids_are_not_found(client: Client, resource: str, id_: str) -> None:
    problem(client.get(f"/v1/{resource}/{id_}"), 404)


@pytest.mark.parametrize("path", WRITING)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"a":}', 400),
        (b"\xff\xfe\xff", 400),
        (b'{"version": NaN}', 400),
        (b'{"version": -Infinity}', 400),
        (b'{"version": ' + b"9" * 5_000 + b"}", 400),
        (b"[" * 200_000, 400),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"5", 422),
        (b'{"\\ud800": 1, "\\u0000": 2}', 422),
    ],
)
def test_bodies_that_are_no_json_objects(admin: Client, path: str, body: bytes, status: int) -> None:
    problem(admin.post(path, data=body, content_type="application/json"), status)


@pytest.mark.parametrize("path", WRITING)
def test_a_body_may_have_at_most_one_megabyte(admin: Client, path: str) -> None:
    body = json.dumps({"title": "x" * 1_000_000})
    problem(admin.post(path, data=body, content_type="application/json"), 413)


def test_an_article_of_almost_one_megabyte_is_taken(client: Client) -> None:
    ok(client.post("/v1/articles", {"id": "1", "version": 1, "title": "x", "content": "y " * 499_900}), 201)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/merge-patch+json", 200),
        (None, 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
def test_content_types(client: Client, content_type: str | None, status: int) -> None:
    answer = client.post("/subscribe", data=b'{"topic": "python"}', content_type=content_type)
    assert answer.status_code == status, answer.get_data(as_text=True)


def test_no_body_is_an_empty_object(client: Client) -> None:
    missing = problem(client.post("/v1/sources", {}), 422, "url")
    assert problem(client.post("/v1/sources"), 422) == missing
    assert problem(client.post("/v1/sources", data=b" ", content_type="text/plain"), 422) == missing


def test_of_a_repeated_name_the_last_counts(client: Client) -> None:
    body = b'{"topic": "rust", "topic": "python"}'
    answer = client.post("/subscribe", data=body, content_type="application/json")
    assert ok(answer)["topic"] == "python"


def test_answers_are_not_to_be_kept_or_guessed_at(client: Client) -> None:
    for answer in (client.get("/v1/channels"), client.get("/v1/nothing"), client.get("/news")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_health_needs_no_key_and_no_server(api: Api) -> None:
    api.failing |= {"database", "broker"}
    assert ok(api.anonymous().get("/healthz")) == {"status": "ok"}


def test_readiness_names_what_is_away_and_nothing_else(api: Api) -> None:
    assert ok(api.anonymous().get("/readyz"))["checks"] == {"database": "ok", "broker": "ok"}
    api.failing.add("broker")
    body = problem(api.anonymous().get("/readyz"), 503)
    assert "broker" in body["detail"]
    assert "database" not in body["detail"]
    assert "secret" not in body["detail"]


def test_a_fault_shows_an_incident_and_nothing_else(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Session, *_: Any) -> None:
        raise RuntimeError("words for the log")

    monkeypatch.setattr("core.store.listings.channels", fail)
    answer = client.get("/v1/channels")
    assert "err_" in problem(answer, 500)["detail"]
    assert "words for the log" not in answer.get_data(as_text=True)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    sorted(
        {*ArticleInput.model_fields, *NewSubscriptionInput.model_fields, *NewSourceInput.model_fields}
        | {*NewKey.model_fields, *SharedFields.model_fields, "headers", "secret", "address"}
    )
)
WEBHOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/"}
PLAUSIBLE = st.sampled_from(
    ["x", "webhook", "email", "feed", "a@example.org", WEBHOOK["url"], "src_1", "2026-01-01T00:00:00Z"]
) | st.sampled_from([1, 2**63 - 1, True, ["en"], [1, 2], {"x": "y"}, WEBHOOK])
BODIES = st.dictionaries(FIELDS, PLAUSIBLE | JSON_VALUES, max_size=8) | JSON_VALUES


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(WRITING), body=BODIES)
def test_no_body_is_a_fault_of_ours(admin: Client, path: str, body: object) -> None:
    data = json.dumps(body, ensure_ascii=True)
    answer = admin.post(path, data=data, content_type="application/json")
    assert answer.status_code < 500, (body, answer.get_data(as_text=True))
    if answer.status_code >= 400:
        problem(answer, answer.status_code)


@settings(max_examples=75, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    resource=st.sampled_from([*RESOURCES, "news", "keys"]),
    parameters=st.dictionaries(
        st.sampled_from(["limit", "cursor", "since", "q", "source", "topic", "state"]) | st.text(),
        st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.sampled_from(["1", "failed"]),
        max_size=3,
    ),
)
def test_no_parameter_is_a_fault_of_ours(client: Client, resource: str, parameters: dict[str, str]) -> None:
    encoded = {name.encode("utf-8", "replace").decode(): value for name, value in parameters.items()}
    answer = client.get(f"/v1/{resource}", query_string=encoded)
    assert answer.status_code in {200, 422}, (parameters, answer.get_data(as_text=True))


def test_while_the_database_is_away(client: Client, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise Unavailable("the database at db.internal does not answer")

    monkeypatch.setattr(store, "read", away)
    answer = client.get("/v1/channels")
    assert "db.internal" not in str(problem(answer, 503))
    assert int(answer.headers["Retry-After"]) > 0
