"""The article message: what producers publish and the router reads."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from core.clock import rfc3339
from core.errors import UnreadableMessage
from core.text import SUMMARY_LIMIT, TITLE_LIMIT, one_line, plain_text, shorten, storable, web_url

SCHEMA = 1
LIST_LIMIT = 50
MESSAGE_LIMIT = 1_000_000
MAX_VERSION = 2**63 - 1


def _line(limit: int) -> Any:
    return AfterValidator(lambda text: shorten(one_line(storable(text)), limit))


def _identifier(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a whole number, not a truth value")
    return value


def _summary(text: str) -> str:
    return shorten(plain_text(storable(text)), SUMMARY_LIMIT)


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _short_texts(value: object) -> object:
    if value is None:
        return []
    if not isinstance(value, list):
        return value
    lines = (shorten(one_line(storable(text)), 200) for text in value if isinstance(text, str))
    return list(dict.fromkeys(line for line in lines if line))[:LIST_LIMIT]


class SourceRef(BaseModel):
    """Which source an article came from: an id to compare and a name to show."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, BeforeValidator(_identifier), Field(min_length=1, max_length=128), _line(128)]
    name: Annotated[str, _line(200)] = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if isinstance(value, str):
            return {"id": value, "name": value}
        if isinstance(value, dict) and value.get("id") is None:
            return {"id": value.get("name"), "name": value.get("name")}
        if isinstance(value, dict) and value.get("name") is None:
            return {"id": value["id"], "name": str(value["id"])}
        return value


class ArticleMessage(BaseModel):
    """One version of one article, cleaned: safe to store, match and show.

    Source: the contract "Article message" of docs/architecture.md.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_: Annotated[int, Field(alias="schema", ge=1, le=SCHEMA)] = SCHEMA
    id: Annotated[
        str, BeforeValidator(_identifier), Field(min_length=1, max_length=512), AfterValidator(storable)
    ]
    version: Annotated[int, BeforeValidator(_not_bool), Field(ge=1, le=MAX_VERSION)]
    title: Annotated[str, _line(TITLE_LIMIT), Field(min_length=1)]
    summary: Annotated[str, BeforeValidator(lambda v: "" if v is None else v), AfterValidator(_summary)] = ""
    url: Annotated[str | None, BeforeValidator(web_url)] = None
    source: SourceRef | None = None
    published_at: Annotated[datetime | None, BeforeValidator(_moment)] = None
    language: Annotated[str, _line(35), AfterValidator(str.lower)] | None = None
    categories: Annotated[list[str], BeforeValidator(_short_texts)] = Field(default_factory=list)
    authors: Annotated[list[str], BeforeValidator(_short_texts)] = Field(default_factory=list)
    image: Annotated[str | None, BeforeValidator(web_url)] = None

    @model_validator(mode="before")
    @classmethod
    def _understand_synonyms(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        known = dict(value)
        if known.get("summary") is None and known.get("content") is not None:
            known["summary"] = known["content"]
        if not known.get("categories") and known.get("category"):
            category = known["category"]
            known["categories"] = category if isinstance(category, list) else [category]
        return known

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if not self.title.strip() or not self.id.strip():
            raise ValueError("id and title must not be blank")
        return self

    def as_json(self) -> dict[str, Any]:
        """Return the message as the JSON object that is published."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "version": self.version,
            "title": self.title,
            "summary": self.summary,
            "url": self.url,
            "source": {"id": self.source.id, "name": self.source.name} if self.source else None,
            "published_at": rfc3339(self.published_at) if self.published_at else None,
            "language": self.language,
            "categories": self.categories,
            "authors": self.authors,
            "image": self.image,
        }

    def encode(self) -> bytes:
        """Return the UTF-8 bytes that are published."""
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":")).encode()


def decode(body: bytes) -> ArticleMessage:
    """Read an article message from any producer.

    Raises UnreadableMessage with reason `too_large`, `not_json`, `unsupported_schema` or `invalid`.
    """
    if len(body) > MESSAGE_LIMIT:
        raise UnreadableMessage("too_large", f"{len(body)} bytes, at most {MESSAGE_LIMIT}")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage("not_json", str(error)) from error
    if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > SCHEMA:
        raise UnreadableMessage("unsupported_schema", f"schema {value['schema']}, known is {SCHEMA}")
    try:
        return ArticleMessage.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "message"
        raise UnreadableMessage("invalid", f"{field}: {first['msg']}") from error
