"""Mails: rendered from templates, addressed, and handed over once."""

import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import css_inline

from core.egress import classify
from core.errors import Reason
from core.mail_address import wire_form
from core.text import one_line
from notifiers.channels.base import Transports
from notifiers.mail_policy import MAIL_POLICY
from notifiers.outcome import Outcome

# Styles for a dark screen or a narrow one are rules that no attribute can hold, so they stay in the head.
_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


@dataclass(frozen=True)
class Letter:
    """A mail with its envelope: `sender` is where bounces go."""

    message: EmailMessage
    sender: str
    recipient: str

    def as_bytes(self) -> bytes:
        """Return the mail as it goes to a server, with lines that end with CRLF."""
        international = not (self.sender + self.recipient).isascii()
        return self.message.as_bytes(policy=MAIL_POLICY.clone(utf8=international))


def mail_of(
    templates: str, id_: str, words: Mapping[str, Any], address: str, transports: Transports
) -> Letter:
    """Render a mail from a folder of templates; `id_` makes its Message-ID, the same whenever it is sent."""
    recipient = wire_form(address)
    message = EmailMessage(policy=MAIL_POLICY)
    message["Subject"] = one_line(_render(transports, f"{templates}/subject.txt", words))
    message["From"] = transports.mail_from
    if transports.mail_options.reply_to:
        message["Reply-To"] = transports.mail_options.reply_to
    message["To"] = recipient
    message["Date"] = format_datetime(transports.clock.now())
    sender = message["From"].addresses[0].addr_spec
    message["Message-ID"] = f"<{id_}@{wire_form(sender).rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_render(transports, f"{templates}/body.txt", words))
    html = _INLINER.inline(_render(transports, f"{templates}/body.html", words))
    message.add_alternative(html, subtype="html")
    return Letter(message, transports.mail_options.bounce_address or wire_form(sender), recipient)


def hand_over(compose: Callable[[], Letter], transports: Transports) -> Outcome:
    """Give a mail to the mail server once, and say how that ended."""
    if transports.mail is None:
        return Outcome(Reason.MISCONFIGURED, excerpt="CLARION_SMTP_URL is not set")
    letter = compose()
    content, sign = letter.as_bytes(), transports.mail_options.sign
    try:
        transports.mail.send(letter.sender, letter.recipient, sign(content) if sign else content)
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        return _refused(code, words)
    except smtplib.SMTPDataError as error:
        return _refused(error.smtp_code, error.smtp_error)
    except smtplib.SMTPResponseException as error:
        return _unwelcome(error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError as error:
        return Outcome(Reason.MISCONFIGURED, excerpt=str(error))
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(_network_reason(error), excerpt=type(error).__name__)
    return Outcome()


def _render(transports: Transports, template: str, words: Mapping[str, Any]) -> str:
    return transports.templates.get_template(template).render(words)


def _refused(code: int, words: bytes | str) -> Outcome:
    """Tell what the server says of a recipient or a mail."""
    permanent = 500 <= code < 600
    return Outcome(Reason.REJECTED if permanent else Reason.THROTTLED, code, _text(words), permanent)


def _unwelcome(code: int, words: bytes | str) -> Outcome:
    """Tell what the server says of us: our login, our sender, our connecting at all."""
    return Outcome(Reason.MISCONFIGURED if 500 <= code < 600 else Reason.THROTTLED, code, _text(words))


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _network_reason(error: Exception) -> Reason:
    # smtplib says that the server has hung up, whatever it was that kept it from reading on.
    hidden = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) else None
    reason = classify(hidden if isinstance(hidden, OSError) else error)
    return Reason.RESET if reason == Reason.PROTOCOL else reason
