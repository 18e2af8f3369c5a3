"""How often a feed wants to be read, its hub and its own address."""

import re
from collections.abc import Iterable
from dataclasses import replace

from fetcher.parsing.raw import RawHints
from fetcher.parsing.selection import first
from fetcher.sources.base import FeedHints
from fetcher.urls import resolve

_LONGEST_HEADER = 8_000
_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*")
_HEADER_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION = re.compile(r"(?i);\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))")


def read_hints(raw: RawHints, base: str) -> FeedHints:
    """Return the hints of a feed; of two intervals the longer one.

    Sources: RSS 2.0 (`ttl`), RSS 1.0 module syndication, WebSub section 4.
    """
    ttl, frequency = _positive(raw.ttl), _positive(raw.update_frequency) or 1.0
    period = _PERIODS.get(raw.update_period.strip().lower())
    intervals = [seconds for seconds in (ttl and ttl * 60, period and period / frequency) if seconds]
    return with_links(FeedHints(max(intervals, default=None)), raw.links, base)


def with_links(hints: FeedHints, links: Iterable[tuple[str, str]], base: str) -> FeedHints:
    """Add hub and own address from pairs of relation and address, where they are not known yet."""
    found = [(relation.lower().split(), address) for relation, address in links]

    def of(relation: str) -> str | None:
        return first(resolve(base, address) for relations, address in found if relation in relations)

    return replace(hints, hub=hints.hub or of("hub"), self_url=hints.self_url or of("self"))


def header_links(header: str) -> list[tuple[str, str]]:
    """Return the pairs of relation and address in a `Link` header (RFC 8288)."""
    found = _HEADER_LINK.findall(header[:_LONGEST_HEADER])
    relations = ((_RELATION.search(parameters), address) for address, parameters in found)
    return [(match[1] or match[2] or "", address) for match, address in relations if match]


def _positive(text: str) -> float | None:
    match = _NUMBER.fullmatch(text)
    return (float(match[1]) or None) if match else None
