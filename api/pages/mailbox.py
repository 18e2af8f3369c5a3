"""`/mailbox`: mail that an installation without a mail server keeps, for its administrators.

They give a key as the password of HTTP's basic authentication. Being on this machine is not enough: behind a
proxy everybody seems to be, and the mails hold links that speak for their readers.
"""

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from api.pages.rendering import page, protected
from api.services import services
from core.store.accounts import caller_of
from core.text import storable

LISTED = 200
# Nothing is loaded, nothing runs; links open beside.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)

blueprint = protected(Blueprint("mailbox", __name__, url_prefix="/mailbox"))


@blueprint.before_request
def authenticate() -> Response | None:
    """Let administrators in, where there is a mailbox."""
    if services().mailbox is None:
        return _not_here()
    given = request.authorization
    key = (given.password or given.token or "") if given else ""
    with services().store.read() as session:
        caller = caller_of(session, storable(key), services().clock.now()) if key else None
    if caller is not None and caller.administrator:
        return None
    text = "Give any name, and an administrator's key as the password."
    answer = page("message.html", 401, title="Who are you?", text=text)
    answer.headers["WWW-Authenticate"] = 'Basic realm="Clarion mailbox", charset="UTF-8"'
    return answer


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List the newest mails."""
    mailbox = services().mailbox
    return page("mailbox.html", mails=mailbox.newest(LISTED)) if mailbox else _not_here()


@blueprint.get("/<mail_id>")
def show(mail_id: str) -> ResponseReturnValue:
    """Show one mail."""
    mailbox = services().mailbox
    mail = mailbox.find(mail_id) if mailbox else None
    return page("mailbox_mail.html", mail=mail) if mail else _not_here()


@blueprint.get("/<mail_id>/html")
def show_html(mail_id: str) -> ResponseReturnValue:
    """Return a mail's HTML, for a frame of its page."""
    mailbox = services().mailbox
    mail = mailbox.find(mail_id) if mailbox else None
    if mail is None or mail.html is None:
        return _not_here()
    html = mail.html.replace("<head>", '<head><base target="_blank">', 1)
    return Response(
        html, headers={"Content-Security-Policy": MAIL_POLICY}, content_type="text/html; charset=utf-8"
    )


def _not_here() -> Response:
    return page("message.html", 404, title="There is nothing here", text="No mail is kept at this address.")
