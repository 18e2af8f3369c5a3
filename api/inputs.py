"""Reading what clients send: JSON bodies and query parameters, checked against models."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeVar

from flask import request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from api.opml import FOLDER_LIMIT, folder_names
from api.problems import FieldProblem, Problem, invalid, invalid_fields
from core.text import one_line, storable

BODY_LIMIT = 1_000_000
_SPACE_FOR_PLUS = re.compile(r" (?=\d\d:?\d\d$)")

Model = TypeVar("Model", bound=BaseModel)


class Input(BaseModel):
    """A body: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class NoFields(Input):
    """A body without anything in it."""


class Parameters(BaseModel):
    """Query parameters: nothing unknown, everything from text."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def moment(value: object) -> datetime | None:
    """Read an RFC 3339 time with a zone; raises ValueError in people's words."""
    if value is None:
        return None
    wanted = "a time with its zone, such as 2026-01-31T08:00:00Z"
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError(wanted)
    try:
        read = datetime.fromisoformat(value)
        if read.tzinfo is None:
            raise ValueError(wanted)
        return read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(wanted) from None


def _plus_restored(value: object) -> object:
    # An offset's "+" that was not escaped arrives as a space.
    return _SPACE_FOR_PLUS.sub("+", value) if isinstance(value, str) else value


def _line(value: object) -> object:
    return one_line(value) if isinstance(value, str) else value


def empty_is_none(value: object) -> object:
    """Take an empty list as one that is not given: it restricts nothing."""
    return None if value == [] else value


def folder_path(value: str) -> str | None:
    """Return the path of a folder, as in `Tech/Blogs`, without what is empty in it; None if all is.

    Raises ValueError in people's words where it is too long.
    """
    path = "/".join(folder_names(value))
    if len(path) > FOLDER_LIMIT:
        raise ValueError(f"must have at most {FOLDER_LIMIT} characters")
    return path or None


Moment = Annotated[datetime, BeforeValidator(moment)]
Since = Annotated[datetime | None, BeforeValidator(moment), BeforeValidator(_plus_restored)]
Name = Annotated[str, BeforeValidator(_line), Field(min_length=1, max_length=200)]
Folder = Annotated[str, Field(max_length=1_000), AfterValidator(folder_path)]
Reference = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


def read_body(*, any_type: bool = False) -> dict[str, Any]:
    """Return the JSON object of the request, `any_type` it says it is; none is an empty one.

    Raises Problem: 400 for what is not JSON, 413, 415, 422 for JSON that is no object.
    """
    body = request.get_data()
    if not body.strip():
        return {}
    if request.mimetype and not any_type and not _is_json(request.mimetype):
        raise Problem(415, "The body must be JSON, with the content type application/json.")
    try:
        value = _storable(json.loads(body, parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        raise Problem(400, "The body is not JSON.", [FieldProblem("body", "not JSON")]) from None
    if not isinstance(value, dict):
        raise invalid("body", "must be a JSON object")
    return value


def parse(model: type[Model], values: dict[str, Any], prefix: str = "") -> Model:
    """Check values against a model; raises Problem naming the fields, which `prefix` precedes."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid_fields(error, prefix) from None


def read(model: type[Model]) -> Model:
    """Return the request's body as a model; raises Problem."""
    return parse(model, read_body())


def read_parameters(model: type[Model]) -> Model:
    """Return the request's query parameters as a model; raises Problem."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise invalid(storable(name)[:100], "given more than once")
    return parse(model, {storable(name): storable(value) for name, value in request.args.items()})


def _is_json(mimetype: str) -> bool:
    return mimetype == "application/json" or (
        mimetype.startswith("application/") and mimetype.endswith("+json")
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): _storable(item) for key, item in value.items()}
    return value
