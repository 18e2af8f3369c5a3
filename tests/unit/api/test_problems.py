"""Problem details."""

import json

from pydantic import BaseModel, ConfigDict, ValidationError

from api.problems import invalid_fields, problem_body


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int


class Outer(BaseModel):
    inner: Inner
    rows: list[Inner]


def test_every_wrong_field_is_named_by_its_path() -> None:
    try:
        Outer.model_validate({"inner": {"number": "secret", "more": 1}, "rows": [{"number": 1}, {}]})
    except ValidationError as error:
        problem = invalid_fields(error, "channel.")
    assert problem.status == 422
    assert [error.field for error in problem.errors] == [
        "channel.inner.number",
        "channel.inner.more",
        "channel.rows.1.number",
    ]
    assert problem.errors[1].message == "unknown field"
    assert "secret" not in problem_body(problem.status, problem.detail, problem.errors)


def test_the_body_has_the_members_of_rfc_9457() -> None:
    body = json.loads(problem_body(404, "There is no such channel."))
    assert body == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such channel.",
        "errors": [],
    }


def test_text_that_is_no_unicode_can_be_answered() -> None:
    assert json.loads(problem_body(400, "\ud800"))["detail"] == "\ud800"
