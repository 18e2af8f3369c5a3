"""Articles that clients publish themselves: into the outbox first, then to the broker if it is there."""

from dataclasses import dataclass
from typing import Annotated

import structlog
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from sqlalchemy.orm import Session

from api.inputs import Input, Moment, Name
from api.problems import invalid, invalid_fields
from api.services import Services
from api.transactions import write_settled
from core.errors import Unavailable
from core.message import MAX_VERSION, SCHEMA, ArticleMessage, SourceRef
from core.store import accounts, pushed, sources
from core.store.accounts import Caller
from core.store.entries import as_unpublished, mark_published
from core.store.models import Entry, Source
from core.text import web_url

log = structlog.get_logger()

SOURCE_PREFIX = "src_"


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _name_as_source(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _one_as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _web_address(value: str) -> str:
    if web_url(value) is None:
        raise ValueError("must be an http:// or https:// URL of at most 4,000 characters")
    return value


NotBlank = AfterValidator(_not_blank)
WebAddress = Annotated[str, AfterValidator(_web_address)]


class SourceInput(Input):
    """Which of the caller's sources an article is from."""

    id: Name | None = None
    name: Name | None = None


class ArticleInput(Input):
    """An article message as clients send it: every field as the contract has it, nothing else."""

    schema_: Annotated[int, Field(alias="schema", ge=1, le=SCHEMA)] = SCHEMA
    id: Annotated[str, BeforeValidator(_number_as_text), Field(max_length=512), NotBlank]
    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]
    title: Annotated[str, NotBlank]
    summary: str | None = None
    content: str | None = None
    url: WebAddress | None = None
    source: Annotated[SourceInput | None, BeforeValidator(_name_as_source)] = None
    published_at: Moment | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    categories: list[str] | None = None
    category: Annotated[list[str] | None, BeforeValidator(_one_as_list)] = None
    authors: list[str] | None = None
    image: WebAddress | None = None


@dataclass(frozen=True)
class Published:
    """What became of an article: the row of the outbox that holds its newest version, and its source."""

    entry: Entry
    source: Source


def publish(services: Services, caller: Caller, wanted: ArticleInput) -> Published:
    """Record an article, then try to publish it; what the broker does not take now is left to the leader.

    Raises Problem for a source that is not the caller's own.
    """
    message = _message(wanted)
    entry, source, is_new = write_settled(
        services.store, lambda session: _record(session, services, caller, wanted, message)
    )
    if is_new:
        _try_to_publish(services, entry)
    return Published(entry, source)


def _message(wanted: ArticleInput) -> ArticleMessage:
    values = wanted.model_dump(by_alias=True, exclude={"source"}, exclude_none=True)
    try:
        return ArticleMessage.model_validate(values)
    except ValidationError as error:
        raise invalid_fields(error) from error


def _record(
    session: Session, services: Services, caller: Caller, wanted: ArticleInput, message: ArticleMessage
) -> tuple[Entry, Source, bool]:
    now = services.clock.now()
    source = _source(session, services, caller, wanted)
    reference = SourceRef(id=source.id, name=source.name)
    entry, is_new = pushed.record(session, message.model_copy(update={"source": reference}), source.id, now)
    return entry, source, is_new


def _source(session: Session, services: Services, caller: Caller, wanted: ArticleInput) -> Source:
    owner = None if caller.administrator else caller.account_id
    given = wanted.source or SourceInput()
    reference = given.id or given.name
    if reference is not None and reference.startswith(SOURCE_PREFIX):
        source = sources.find_push_source(session, owner, reference)
        if source is None:
            raise invalid("source", "not a source that this key may publish to; give a name to make one")
        return source
    name = given.name or given.id or accounts.name_of(session, caller.account_id)
    return sources.push_source(session, owner, name, services.clock.now())


def _try_to_publish(services: Services, entry: Entry) -> None:
    item = as_unpublished(entry)
    try:
        services.publisher.publish(item.message)
        with services.store.write() as session:
            mark_published(session, [item])
    except Unavailable as error:
        log.warning("an article waits in the outbox", article=entry.article_id, problem=str(error))
