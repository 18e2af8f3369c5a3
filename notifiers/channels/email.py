"""Mail, one message per article."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from core.egress import EgressPolicy
from core.errors import FieldError, Unavailable
from core.mail_address import normalized
from core.store.channels import target_hash
from core.store.states import ChannelState
from notifiers import article_mail
from notifiers.channels.base import Transports
from notifiers.mail import hand_over
from notifiers.notice import Notice
from notifiers.outcome import Outcome


class EmailFields(BaseModel):
    """What an account says of a mail address."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=3, max_length=320)]


@dataclass(frozen=True)
class Email:
    """A mail with a text and an HTML part; with `ask_dns` an address's domain must take mail."""

    name: ClassVar[str] = "email"
    queue: ClassVar[str] = "email"
    initial_state: ClassVar[ChannelState] = ChannelState.UNVERIFIED
    fields: ClassVar[type[BaseModel]] = EmailFields

    ask_dns: bool = False

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Check the address."""
        try:
            return {"address": normalized(fields.address, ask_dns=self.ask_dns)}
        except ValueError as error:
            raise FieldError("address", str(error)) from error

    def target(self, config: Mapping[str, Any]) -> str:
        """Return the address; the domain's case is normalised, the local part's kept."""
        return str(config["address"])

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the address."""
        return {"address": config["address"]}

    def send(self, notice: Notice, config: Mapping[str, Any], transports: Transports) -> Outcome | None:
        """Hand the mail to the mail server once, unless its reader does not want it any more."""
        address = config["address"]
        if not _still_wanted(notice.channel_id, address, transports):
            return None
        told = article_mail.of_notice(notice, address)
        return hand_over(lambda: article_mail.compose(told, transports), transports)


def _still_wanted(channel_id: str, address: str, transports: Transports) -> bool:
    """Ask at the last moment, for between claim and sending a reader may have unsubscribed."""
    ask = transports.mail_options.still_wanted
    if ask is None or not channel_id:
        return True
    try:
        return ask(channel_id, target_hash("email", address))
    except Unavailable:
        return False


KIND = Email()
