"""`/v1/account`: the caller's account, and whom it wants told."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import Field

from api.authentication import authenticate, caller
from api.contacts import FIELD, read_contact
from api.inputs import Input, read
from api.services import services
from core.store.models import Account

blueprint = Blueprint("account", __name__, url_prefix="/v1/account")
blueprint.before_request(authenticate)

Contact = Annotated[str, Field(min_length=3, max_length=320)]


class AccountChange(Input):
    """What an account may change of itself."""

    contact: Contact | None = None


@blueprint.get("")
def show() -> ResponseReturnValue:
    """Show the account."""
    with services().store.read() as session:
        return _account_view(session.get_one(Account, caller().account_id))


@blueprint.patch("")
def change() -> ResponseReturnValue:
    """Change whom the account wants told; null is nobody."""
    given = read(AccountChange)
    with services().store.write() as session:
        account = session.get_one(Account, caller().account_id, with_for_update=True)
        if FIELD in given.model_fields_set:
            contact = given.contact
            account.contact = read_contact(session, account.id, contact) if contact is not None else None
    return _account_view(account)


def _account_view(account: Account) -> dict[str, Any]:
    return {"id": account.id, "name": account.name, "contact": account.contact}
