"""Mail, one message per article."""

import smtplib
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Any, ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict, Field

from core.egress import EgressPolicy, classify
from core.errors import FieldError, Reason
from core.store.states import ChannelState
from core.text import one_line
from notifiers.channels.base import Transports
from notifiers.mail_policy import MAIL_POLICY
from notifiers.notice import Notice
from notifiers.outcome import Outcome


class EmailFields(BaseModel):
    """What an account says of a mail address."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=3, max_length=320)]


class Email:
    """A mail with a text and an HTML part."""

    name: ClassVar[str] = "email"
    queue: ClassVar[str] = "email"
    initial_state: ClassVar[ChannelState] = ChannelState.UNVERIFIED
    fields: ClassVar[type[BaseModel]] = EmailFields

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Check the address's syntax, without asking DNS."""
        try:
            valid = validate_email(fields.address, check_deliverability=False)
        except EmailNotValidError as error:
            raise FieldError("address", str(error)) from error
        if "=?" in valid.normalized:
            raise FieldError("address", "an address may not look like an encoded word (RFC 2047)")
        return {"address": valid.normalized}

    def target(self, config: Mapping[str, Any]) -> str:
        """Return the address; the domain's case is normalised, the local part's kept."""
        return str(config["address"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the address."""
        return {"address": config["address"]}

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome:
        """Hand the mail to the SMTP server once."""
        if transports.mail is None:
            return Outcome(Reason.MISCONFIGURED, excerpt="CLARION_SMTP_URL is not set")
        message = compose(notice, config["address"], transports)
        try:
            with transports.mail() as server:
                server.send_message(message)
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


def compose(notice: Notice, address: str, transports: Transports) -> EmailMessage:
    """Render the mail of one article; its Message-ID is the delivery's, so repeats can be told."""
    words = {"notice": notice, "article": notice.article}
    message = EmailMessage(policy=MAIL_POLICY)
    message["Subject"] = one_line(_render(transports, "subject.txt", words))
    message["From"] = transports.mail_from
    message["To"] = address
    message["Date"] = format_datetime(transports.clock.now())
    message["Message-ID"] = f"<{notice.id}@{transports.mail_from.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_render(transports, "body.txt", words))
    message.add_alternative(_render(transports, "body.html", words), subtype="html")
    return message


def _render(transports: Transports, part: str, words: Mapping[str, Any]) -> str:
    return transports.templates.get_template(f"article/{part}").render(words)


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


KIND = Email()
