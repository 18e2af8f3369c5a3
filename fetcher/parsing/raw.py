"""What an XML feed says before any of it is judged: markup, relative addresses and unread dates."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One entry of any dialect; where there are several of a thing, the one to prefer comes first.

    `parts` are summary and contents as markup, read only as far as needed. `base` is what the addresses
    are relative to; None stands for the feed's own.
    """

    title: str = ""
    parts: Iterable[str] = ()
    guid: str = ""
    addresses: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    language: str | None = None
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    publisher: str = ""
    base: str | None = None


@dataclass(frozen=True, slots=True)
class RawHints:
    """What a feed says of its own updating: `<ttl>` in minutes, `sy:*`, and pairs of relation and address."""

    ttl: str = ""
    update_period: str = ""
    update_frequency: str = ""
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RawFeed:
    """A feed and its entries; `base` is what its addresses are relative to."""

    base: str
    title: str = ""
    language: str | None = None
    entries: list[RawEntry] = field(default_factory=list)
    hints: RawHints = RawHints()
