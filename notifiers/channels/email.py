"""Mail, one message per article."""

import smtplib
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from core.egress import EgressPolicy, classify
from core.errors import FieldError, Reason
from core.mail_address import normalized
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
            return {"address": normalized(fields.address)}
        except ValueError as error:
            raise FieldError("address", str(error)) from error

    def target(self, config: Mapping[str, Any]) -> str:
        """Return the address; the domain's case is normalised, the local part's kept."""
        return str(config["address"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the address."""
        return {"address": config["address"]}

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome:
        """Hand the mail to the SMTP server once."""
        return hand_over(lambda: compose(notice, config["address"], transports), transports)


def hand_over(compose_mail: Callable[[], EmailMessage], transports: Transports) -> Outcome:
    """Give a mail to the SMTP server once, and say how that ended."""
    if transports.mail is None:
        return Outcome(Reason.MISCONFIGURED, excerpt="CLARION_SMTP_URL is not set")
    message = compose_mail()
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
    return mail_of("article", notice.id, {"notice": notice, "article": notice.article}, address, transports)


def mail_of(
    templates: str, id_: str, words: Mapping[str, Any], address: str, transports: Transports
) -> EmailMessage:
    """Render a mail from a folder of templates; `id_` makes its Message-ID, the same whenever it is sent."""
    message = EmailMessage(policy=MAIL_POLICY)
    message["Subject"] = one_line(_render(transports, f"{templates}/subject.txt", words))
    message["From"] = transports.mail_from
    message["To"] = address
    message["Date"] = format_datetime(transports.clock.now())
    message["Message-ID"] = f"<{id_}@{transports.mail_from.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_render(transports, f"{templates}/body.txt", words))
    message.add_alternative(_render(transports, f"{templates}/body.html", words), subtype="html")
    return message


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


KIND = Email()
