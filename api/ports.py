"""What the API asks of other rooms; wiring hands it in."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from core.egress import EgressPolicy
from core.errors import Reason
from core.store.states import ChannelState


class ChannelKindPort(Protocol):
    """A kind of channel, as far as the API makes and shows channels."""

    name: ClassVar[str]
    queue: ClassVar[str]
    initial_state: ClassVar[ChannelState]
    fields: ClassVar[type[BaseModel]]

    def configure(self, fields: Any, egress: EgressPolicy) -> dict[str, Any]:
        """Return the configuration to seal; raises FieldError naming what is wrong."""

    def target(self, config: Mapping[str, Any]) -> str:
        """Return what makes two channels of this kind the same."""

    def view(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what may be shown of a configuration."""


@runtime_checkable
class SigningKindPort(ChannelKindPort, Protocol):
    """A kind whose channels each have a key of their own that signs what is sent.

    The key shown once is `secret` in a configuration; one that is no secret is `public_key` in the view.
    """

    def rotate(
        self, config: Mapping[str, Any], secret: str | None, now: datetime, overlap: timedelta
    ) -> dict[str, Any]:
        """Return a configuration with a new key; the old one signs too until `overlap` has passed.

        Raises FieldError naming what is wrong with a given secret.
        """

    def carry_keys(
        self, stored: Mapping[str, Any], config: Mapping[str, Any], now: datetime, overlap: timedelta
    ) -> dict[str, Any]:
        """Return a changed configuration with the stored one's keys, unless it is signed otherwise now."""


class SourceKindPort(Protocol):
    """A kind of source, as far as the API makes and shows sources."""

    @property
    def name(self) -> str:
        """What the API calls this kind."""

    @property
    def default_interval_seconds(self) -> int | None:
        """How often a source that does not say is polled; None for a kind that is not polled."""

    @property
    def example_url(self) -> str:
        """An address of this kind, to show people what is meant."""

    def check(self, url: str) -> None:
        """Raise ValueError, in words for people, if `url` cannot be a source of this kind."""


class FoundFeed(Protocol):
    """A feed of a web page, which was fetched and read."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def title(self) -> str | None:
        """What it calls itself."""

    @property
    def kind(self) -> str:
        """The kind of source that it would be."""

    @property
    def format(self) -> str:
        """Its format, such as `rss`."""

    @property
    def items(self) -> int:
        """How many articles it holds."""

    @property
    def newest_at(self) -> datetime | None:
        """When its newest article was published."""

    @property
    def found_by(self) -> str:
        """What led to it, such as `link`."""


class FeedFinder(Protocol):
    """Looks for the feeds of a web page."""

    def find(self, url: str) -> Sequence[FoundFeed]:
        """Return them, the best first; raises ClarionError, in words, where the page is not had."""


class KeptMail(Protocol):
    """A mail that was kept instead of being sent."""

    @property
    def html(self) -> str | None:
        """Its HTML part, if it has one."""


class MailboxPort(Protocol):
    """The mailbox of an installation without a mail server."""

    def newest(self, limit: int) -> Sequence[KeptMail]:
        """Return mails, the newest first."""

    def find(self, id_: str) -> KeptMail | None:
        """Return one mail."""


class Trial(Protocol):
    """What came of sending a sample."""

    @property
    def status(self) -> int | None:
        """The status that was answered."""

    @property
    def reason(self) -> Reason | None:
        """Why it was not delivered; None if it was."""

    @property
    def detail(self) -> str | None:
        """What went wrong, in words for people."""

    @property
    def duration_ms(self) -> int:
        """How long it took."""

    @property
    def excerpt(self) -> str | None:
        """The beginning of the answer."""


class ChannelTester(Protocol):
    """Sends a sample to a channel, as deliveries are sent."""

    def test(self, kind_name: str, config: Mapping[str, Any]) -> Trial:
        """Send now and wait for the answer; never raises for what the other side does."""
