"""`/v1/keys`: accounts and the keys that speak for them."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator, Field
from sqlalchemy.orm import Session

from api.authentication import authenticate, caller, require_administrator
from api.contacts import read_address
from api.inputs import Input, Moment, Name, read, read_parameters
from api.paging import PageParameters, page_json
from api.problems import conflict, invalid, not_found
from api.services import services
from api.views import timestamp
from core.store import accounts, listings
from core.store.accounts import BOOTSTRAP_KEY
from core.store.models import Account, Key

blueprint = Blueprint("keys", __name__, url_prefix="/v1/keys")
blueprint.before_request(authenticate)


def _no_scopes(value: object) -> None:
    if value is not None:
        raise ValueError("are not available in this version: a key may do all that its account may")


class NewKey(Input):
    """A key to be made, for the caller's own account where none is named."""

    account: Annotated[Name, Field(max_length=100)] | None = None
    administrator: bool = False
    scopes: Annotated[None, BeforeValidator(_no_scopes)] = None
    expires_at: Moment | None = None
    contact: Annotated[str, Field(min_length=3, max_length=320)] | None = None


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Make a key, and the account if there is none of that name; the key is shown only here."""
    administrator = require_administrator()
    wanted = read(NewKey)
    now = services().clock.now()
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise invalid("expires_at", "must be in the future")
    contact = read_address(wanted.contact) if wanted.contact is not None else None
    with services().store.write() as session:
        account_id = administrator.account_id
        if wanted.account is not None:
            account_id = accounts.ensure_account(session, wanted.account, now)
        account = session.get_one(Account, account_id, with_for_update=contact is not None)
        _set_contact(account, contact)
        key_id, key = accounts.create_key(
            session, account_id, now, administrator=wanted.administrator, expires_at=wanted.expires_at
        )
    answer = {
        "id": key_id,
        "key": key,
        "account": account.name,
        "contact": account.contact,
        "administrator": wanted.administrator,
        "created_at": timestamp(now),
        "expires_at": timestamp(wanted.expires_at),
    }
    return answer, 201


def _set_contact(account: Account, contact: str | None) -> None:
    if contact is not None and account.contact not in (None, contact):
        raise conflict("This account has another contact: it is changed by PATCH /v1/account.")
    account.contact = account.contact or contact


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the keys of the caller's account, without the keys themselves."""
    given, account_id = read_parameters(PageParameters), caller().account_id
    with services().store.read() as session:
        name = accounts.name_of(session, account_id)
        page = listings.keys(session, account_id, given.cursor, given.limit)
    return page_json(page, lambda key: _key_view(key, name))


@blueprint.delete("/<id:key_id>")
def revoke(key_id: str) -> ResponseReturnValue:
    """Make a key stop working: one of the account, or any for an administrator."""
    with services().store.write() as session:
        _revoke(session, key_id)
    return "", 204


def _revoke(session: Session, key_id: str) -> None:
    key = accounts.find_key(session, caller(), key_id)
    if key is None:
        raise not_found("key")
    if key.id == BOOTSTRAP_KEY:
        raise conflict("This key comes from CLARION_API_KEY: change that setting instead.")
    key.revoked_at = key.revoked_at or services().clock.now()


def _key_view(key: Key, account: str) -> dict[str, Any]:
    return {
        "id": key.id,
        "account": account,
        "administrator": key.administrator,
        "created_at": timestamp(key.created_at),
        "expires_at": timestamp(key.expires_at),
        "revoked_at": timestamp(key.revoked_at),
    }
