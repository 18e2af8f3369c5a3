"""What a subscription or a preview of one asks for, as clients write it."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from api.inputs import Input, Name, empty_is_none
from api.problems import invalid
from api.queries import CompiledQuery, compile_query, compile_topic

MOST_NAMES = 100
TEXT_LIMIT = 10_000  # queries have a limit of their own, and words for it

Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,4}$", max_length=35)]
Sources = Annotated[list[Name] | None, Field(max_length=MOST_NAMES), BeforeValidator(empty_is_none)]
Languages = Annotated[list[Language] | None, Field(max_length=MOST_NAMES), BeforeValidator(empty_is_none)]


class Wanted(Input):
    """Which articles are wanted."""

    query: Text | None = None
    topic: Name | None = None
    sources: Sources = None
    languages: Languages = None


def compile_wanted(wanted: Wanted) -> CompiledQuery | None:
    """Read what there is of query and topic; raises Problem where there are both."""
    if wanted.query is not None and wanted.topic is not None:
        raise invalid("query", "give one of query and topic, not both")
    if wanted.topic is not None:
        return compile_topic(wanted.topic)
    return compile_query(wanted.query) if wanted.query is not None else None


def compile_required(wanted: Wanted) -> CompiledQuery:
    """Read the query or the topic; raises Problem where there are both or none."""
    compiled = compile_wanted(wanted)
    if compiled is None:
        raise invalid("query", "give a query or a topic")
    return compiled
