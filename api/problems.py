"""Errors as clients see them: problem details (RFC 9457), whatever went wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from core.errors import FieldError, Unavailable
from core.ids import new_id
from core.query import QueryError

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
ERRORS_LISTED = 50
_OWN_HEADERS = {"content-type", "content-length"}


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field: its dotted path, and for a query the offset from 0."""

    field: str
    message: str
    position: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry of `errors`."""
        entry: dict[str, Any] = {"field": self.field, "message": self.message}
        return entry if self.position is None else entry | {"position": self.position}


class Problem(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})


def not_found(what: str) -> Problem:
    """Return the problem of something that does not exist for the caller."""
    return Problem(404, f"There is no such {what}.")


def conflict(detail: str) -> Problem:
    """Return the problem of a request that the present state does not allow."""
    return Problem(409, detail)


def invalid(field: str, message: str, position: int | None = None) -> Problem:
    """Return the problem of one field that cannot be accepted."""
    return Problem(422, f"{field}: {message}", [FieldProblem(field, message, position)])


def invalid_query(error: QueryError, field: str) -> Problem:
    """Return the problem of a query that cannot be read, with the place."""
    return invalid(field, str(error), error.position)


def invalid_fields(error: ValidationError, prefix: str = "") -> Problem:
    """Return the problem of input that does not fit its model."""
    found = [
        FieldProblem(prefix + _path(item["loc"]), _words(item["msg"]))
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Problem(422, f"{found[0].field}: {found[0].message}", found[:ERRORS_LISTED])


def _path(location: Sequence[int | str]) -> str:
    return ".".join(str(part)[:100] for part in location) or "body"


def _words(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "unknown field")


def problem_body(status: int, detail: str, errors: Sequence[FieldProblem] = ()) -> str:
    """Return the JSON of a problem."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [error.as_json() for error in errors],
    }
    return json.dumps(body)


def install(app: Flask) -> None:
    """Make every error of an application a problem."""
    app.register_error_handler(Problem, _on_problem)
    app.register_error_handler(HTTPException, _on_http_exception)
    app.register_error_handler(FieldError, _on_field_error)
    app.register_error_handler(Unavailable, _on_unavailable)
    app.register_error_handler(Exception, _on_exception)


def _answer(problem: Problem) -> Response:
    body = problem_body(problem.status, problem.detail, problem.errors)
    return Response(body, problem.status, problem.headers, content_type=MEDIA_TYPE)


def _on_problem(problem: Problem) -> Response:
    return _answer(problem)


def _on_field_error(error: FieldError) -> Response:
    return _answer(invalid(error.field, str(error)))


def _on_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name.lower() not in _OWN_HEADERS}
    return _answer(Problem(status, _DETAILS.get(status) or HTTPStatus(status).phrase, headers=headers))


_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body of a request may have at most 1 MB, a list of sources 5 MB.",
}


def _on_unavailable(error: Unavailable) -> Response:
    log.warning("a request failed: a server is away", path=request.path, problem=str(error))
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return _answer(Problem(503, "A server that is needed for this does not answer. Try again.", (), headers))


def _on_exception(error: Exception) -> Response:
    incident = new_id("err")
    log.error("a request failed", path=request.path, method=request.method, incident=incident, exc_info=error)
    return _answer(Problem(500, f"Something went wrong here. The log knows it as {incident}."))
