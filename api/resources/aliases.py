"""`/v1/aliases`: other names for the same thing, the same for all accounts."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field, ValidationError
from sqlalchemy.orm import Session

from api.authentication import authenticate, require_administrator
from api.inputs import Input, Name, read, read_parameters
from api.paging import PageParameters, page_json
from api.problems import invalid_fields, not_found
from api.services import services
from api.views import timestamp
from core.errors import FieldError
from core.query.alias_rules import LONGEST, MOST_ALIASES, NewAlias, new_alias
from core.store import aliases as stored
from core.store import listings
from core.store.models import Alias

blueprint = Blueprint("aliases", __name__, url_prefix="/v1/aliases")
blueprint.before_request(authenticate)

Text = Annotated[Name, Field(max_length=LONGEST)]


class Meaning(Input):
    """What a name means."""

    meaning: Text


class NamedMeaning(Meaning):
    """An alias among others."""

    name: Text


class Import(Input):
    """Aliases, each checked by itself."""

    aliases: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_ALIASES)]


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the aliases."""
    given = read_parameters(PageParameters)
    with services().store.read() as session:
        page = listings.aliases(session, given.cursor, given.limit)
    return page_json(page, _alias_view)


@blueprint.get("/<path:name>")
def show(name: str) -> ResponseReturnValue:
    """Show one alias."""
    with services().store.read() as session:
        return _alias_view(_existing(session, name))


@blueprint.put("/<path:name>")
def put(name: str) -> ResponseReturnValue:
    """Make an alias, or give the one of that name another meaning."""
    require_administrator()
    wanted = new_alias(name, read(Meaning).meaning)
    with services().store.write() as session:
        done = stored.put(session, [wanted], services().clock.now())
        if done.refused:
            raise done.refused[0]
        view = _alias_view(_existing(session, name))
    services().announcer.announce()
    return view, 201 if done.made else 200


@blueprint.delete("/<path:name>")
def delete(name: str) -> ResponseReturnValue:
    """Delete an alias."""
    require_administrator()
    with services().store.write() as session:
        if not stored.remove(session, name):
            raise not_found("alias")
    services().announcer.announce()
    return "", 204


@blueprint.post("/import")
def import_() -> ResponseReturnValue:
    """Store many aliases at once; what is refused keeps no other from being stored."""
    require_administrator()
    given = read(Import).aliases
    wanted: dict[int, NewAlias] = {}
    refused: dict[int, FieldError] = {}
    for place, one in enumerate(given):
        try:
            wanted[place] = _checked(one)
        except FieldError as error:
            refused[place] = error
    with services().store.write() as session:
        done = stored.put(session, list(wanted.values()), services().clock.now())
    services().announcer.announce()
    places = list(wanted)
    refused |= {places[position]: error for position, error in done.refused.items()}
    return {"stored": len(given) - len(refused), "refused": _refused_view(refused)}


def _checked(given: dict[str, Any]) -> NewAlias:
    """Return the alias that an object describes; raises FieldError."""
    try:
        read_alias = NamedMeaning.model_validate(given)
    except ValidationError as error:
        first = invalid_fields(error).errors[0]
        raise FieldError(first.field, first.message) from None
    return new_alias(read_alias.name, read_alias.meaning)


def _existing(session: Session, name: str) -> Alias:
    alias = stored.find(session, name)
    if alias is None:
        raise not_found("alias")
    return alias


def _alias_view(alias: Alias) -> dict[str, Any]:
    return {
        "name": alias.name,
        "meaning": alias.meaning,
        "created_at": timestamp(alias.created_at),
        "updated_at": timestamp(alias.updated_at),
    }


def _refused_view(refused: dict[int, FieldError]) -> list[dict[str, Any]]:
    return [
        {"index": place, "field": error.field, "message": str(error)}
        for place, error in sorted(refused.items())
    ]
