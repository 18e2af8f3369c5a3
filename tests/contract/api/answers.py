"""What tests say of the API's answers."""

from typing import Any

from werkzeug.test import TestResponse


def ok(answer: TestResponse, status: int = 200) -> Any:
    """Return the JSON of an answer that must have `status`."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json() if answer.data else None


def problem(answer: TestResponse, status: int, field: str | None = None) -> dict[str, Any]:
    """Return the problem that an answer must be, with `status` and naming `field`."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    body: dict[str, Any] = answer.get_json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert "Traceback" not in answer.get_data(as_text=True)
    if field is not None:
        assert field in [error["field"] for error in body["errors"]], body
    return body
