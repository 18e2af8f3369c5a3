"""`/mail`: what the links in mails lead to. A GET changes nothing, for scanners follow links; a POST does.

The token in the address says for whom it is, so there are no cookies, and no keys.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from api.pages.reader import Reader, export_of, view_of
from api.pages.rendering import page, protected
from api.services import services
from core.mail_links import MAIL_PAGES
from core.signing import MailPurpose
from core.store import consents
from core.store.models import Channel

log = structlog.get_logger()

blueprint = protected(Blueprint("mail_pages", __name__, url_prefix=MAIL_PAGES))

Change = Callable[[Session, Channel, datetime], None]


@blueprint.get("/confirm/<token>")
def ask_to_confirm(token: str) -> ResponseReturnValue:
    """Ask whether the reader wants the news."""
    return _shown(MailPurpose.CONFIRM, token, "confirm.html")


@blueprint.post("/confirm/<token>")
def confirm(token: str) -> ResponseReturnValue:
    """Take the reader's consent."""
    return _changed(MailPurpose.CONFIRM, token, consents.confirm, "confirm.html")


@blueprint.get("/unsubscribe/<token>")
def ask_to_unsubscribe(token: str) -> ResponseReturnValue:
    """Ask whether the reader wants no more."""
    return _shown(MailPurpose.UNSUBSCRIBE, token, "unsubscribe.html")


@blueprint.post("/unsubscribe/<token>")
def unsubscribe(token: str) -> ResponseReturnValue:
    """Send no more, or again where the page's other button was pressed.

    Mail programs post here too, without asking (RFC 8058).
    """
    back = request.form.get("action") == "again"
    change = consents.confirm if back else consents.leave
    return _changed(MailPurpose.UNSUBSCRIBE, token, change, "unsubscribe.html")


@blueprint.get("/manage/<token>")
def manage(token: str) -> ResponseReturnValue:
    """Show what the reader gets, and all that can be done about it."""
    return _shown(MailPurpose.MANAGE, token, "manage.html")


@blueprint.post("/manage/<token>")
def change(token: str) -> ResponseReturnValue:
    """Do what a button of the page says."""
    wanted = _CHANGES.get(request.form.get("action", ""))
    if wanted is None:
        return page("message.html", 400, title="Nothing was changed", text="This page has no such button.")
    return _changed(MailPurpose.MANAGE, token, wanted, "manage.html")


@blueprint.get("/manage/<token>/export")
def export(token: str) -> ResponseReturnValue:
    """Return all that is known of the reader, as JSON."""
    reader = _reader(MailPurpose.MANAGE, token)
    if reader is None:
        return _invalid()
    with services().store.read() as session:
        channel = reader.channel(session)
        if channel is None:
            return _gone()
        document = export_of(session, services(), channel)
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    return Response(document, headers=headers, content_type="application/json")


def _drop(session: Session, channel: Channel, _now: datetime) -> None:
    consents.drop(session, channel, request.form.get("subscription", ""))


_CHANGES: dict[str, Change] = {
    "drop": _drop,
    "pause": consents.pause,
    "resume": consents.resume,
    "leave": consents.leave,
    "again": consents.confirm,
    "erase": consents.erase,
}


def _reader(purpose: MailPurpose, token: str) -> Reader | None:
    addressee = services().mail_tokens.read(purpose, token)
    return Reader(addressee) if addressee else None


def _shown(purpose: MailPurpose, token: str, template: str) -> Response:
    reader = _reader(purpose, token)
    if reader is None:
        return _invalid()
    with services().store.read() as session:
        channel = reader.channel(session)
        if channel is None:
            return _gone()
        return page(template, reader=view_of(session, services(), channel), token=token)


def _changed(purpose: MailPurpose, token: str, change: Change, template: str) -> Response:
    reader = _reader(purpose, token)
    if reader is None:
        return _invalid()
    with services().store.write() as session:
        channel = reader.channel(session, lock=True)
        if channel is None:
            return _gone()
        before = channel.state
        change(session, channel, services().clock.now())
        gone = reader.channel(session) is None
        view = None if gone else view_of(session, services(), channel)
    services().announcer.announce()
    if gone or view is None:
        log.info("a reader had their data erased", channel=reader.channel_id)
        return _gone()
    log.info("a reader decided", channel=reader.channel_id, before=before, now=view.state)
    return page(template, reader=view, token=token)


def _invalid() -> Response:
    text = "The address of this page is not complete, or was changed. Please use the link in the mail."
    return page("message.html", 404, title="This link does not work", text=text)


def _gone() -> Response:
    text = "This address is not known here any more, so no news is sent to it."
    return page("message.html", title="Nothing is sent to you", text=text)
