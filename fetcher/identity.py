"""Which article an item is, and whether what it says is news: decisions without any I/O."""

import hashlib
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.message import ArticleMessage, SourceRef
from core.text import SUMMARY_LIMIT, TITLE_LIMIT
from fetcher.parsing.selection import newness
from fetcher.parsing.titles import without_publisher
from fetcher.sources.base import Item
from fetcher.urls import canonical_url, host_of

ID_LIMIT = 512
MOST_VERSIONS = 24
DEFAULT_BACKFILL = 10
# Every poll sees every entry again; noting that more often would be a write per entry and poll.
TOUCH_AFTER = timedelta(hours=6)

_QUOTES = re.compile("[\"'`´\u2018-\u201f\u2039\u203a\u00ab\u00bb\u2032-\u2037\uff02\uff07]+")
_DASHES = re.compile(r"\s*[-\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+\s*")
_SPACES = re.compile(r"\s+")
_TRAILING = re.compile(r"[\s.,;:]+$")


@dataclass(frozen=True, slots=True)
class Identified:
    """An item and the id under which its source's entries know it."""

    entry_id: str
    item: Item


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """What is stored of an entry: its version, and the hashes of everything it ever said."""

    version: int
    seen_hashes: tuple[str, ...]
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class New:
    """An article never seen before."""

    seen_hashes: tuple[str, ...]
    version: int = 1


@dataclass(frozen=True, slots=True)
class Updated:
    """A known article that says what it never said before."""

    version: int
    seen_hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing to tell; `touch` if it is time to store that the entry was seen again."""

    touch: bool


Decision = New | Updated | Unchanged


@dataclass(frozen=True, slots=True)
class Backfill:
    """The first poll of a source: what is told, newest first, and what is only recorded as seen."""

    told: tuple[Identified, ...]
    recorded: tuple[Identified, ...]


def identity(item: Item) -> str:
    """Return the id of an item by itself: its guid, else its canonical URL, else a hash of its words.

    An address as guid is the same with http and https. At most 512 characters.
    """
    if item.guid:
        return _fitting(_without_scheme(item.guid))
    canonical = canonical_url(item.url) if item.url else None
    return _fitting(canonical or f"content:{content_hash(item.title, item.summary)}")


def candidate_ids(items: Iterable[Item]) -> set[str]:
    """Return every id that `identify` may give to these items: what to load before calling it."""
    return {candidate for item in items for candidate in (identity(item), _qualified(item))}


def identify(items: Iterable[Item], known: Mapping[str, KnownEntry]) -> tuple[Identified, ...]:
    """Give each item of one document its id, leaving out repetitions of one article.

    Items that share a guid but not a link are different articles, and remain so when only one of them
    is left in the document; hence `known`, the stored entries among `candidate_ids`.
    """
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    document = list(items)
    for item in document:
        groups[identity(item)].append(item)
    shared = {key for key, group in groups.items() if len({_qualified(item) for item in group}) > 1}
    identified: dict[str, Identified] = {}
    for item in document:
        entry_id = _entry_id(item, identity(item) in shared, known)
        identified.setdefault(entry_id, Identified(entry_id, item))
    return tuple(identified.values())


def content_hash(title: str, summary: str, *publishers: str | None) -> str:
    """Return a hash of what an article says, the same after changes that no reader would call news.

    Quotes, dashes, case, white space, entities, closing punctuation and the publisher behind the title
    do not count, nor does what an article message would cut off.
    """
    said = (without_publisher(title[:TITLE_LIMIT], *publishers), summary[:SUMMARY_LIMIT])
    normal = "\n".join(_normal(part) for part in said)
    return hashlib.sha256(normal.encode("utf-8", "replace")).hexdigest()[:32]


def decide(known: KnownEntry | None, item: Item, now: datetime) -> Decision:
    """Say whether an item is a new article, a new version of one, or nothing new.

    What an article said before is never news again; after 24 versions nothing is.
    """
    full, bare = _hashes(item)
    if known is None:
        return New(_distinct(full, bare))
    if full in known.seen_hashes or known.version >= MOST_VERSIONS:
        return Unchanged(touch=now - known.last_seen_at >= TOUCH_AFTER)
    return Updated(known.version + 1, _distinct(*known.seen_hashes, full, bare))


def select_backfill(identified: Sequence[Identified], limit: int = DEFAULT_BACKFILL) -> Backfill:
    """Choose what the first poll tells: the newest `limit`, by date of publication, then document order."""
    ordered = sorted(identified, key=lambda one: newness(one.item))
    return Backfill(tuple(ordered[:limit]), tuple(ordered[limit:]))


def published_at(item: Item, first_seen_at: datetime) -> datetime | None:
    """Return when an article was published: no later than it was first seen, and then if nothing is said.

    So no later poll gives it another date. None if what is said cannot be true.
    """
    if item.published_at is None:
        return None if item.has_bad_date else first_seen_at
    return min(item.published_at, first_seen_at)


def to_message(
    item: Item, source_id: str, source_name: str, entry_id: str, version: int, first_seen_at: datetime
) -> ArticleMessage:
    """Return the message that tells one version of an article; its source is shown as its publisher."""
    return ArticleMessage(
        id=entry_id,
        version=version,
        title=item.title,
        summary=item.summary,
        url=item.url,
        source=SourceRef(id=source_id, name=item.publisher or source_name),
        published_at=published_at(item, first_seen_at),
        language=item.language,
        categories=list(item.categories),
        authors=list(item.authors),
        image=item.image,
    )


def _entry_id(item: Item, shared: bool, known: Mapping[str, KnownEntry]) -> str:
    plain, qualified = identity(item), _qualified(item)
    if qualified in known:
        return qualified
    if shared and not (plain in known and _hashes(item)[0] in known[plain].seen_hashes):
        return qualified
    return plain


def _qualified(item: Item) -> str:
    """Return the id of an item whose plain one other items of the document have too."""
    link = canonical_url(item.url) if item.guid and item.url else None
    return _fitting(f"{identity(item)}#{_digest(link or content_hash(item.title, item.summary))[:16]}")


def _hashes(item: Item) -> tuple[str, str]:
    # The title alone counts as said, so that a summary that goes missing for a while is not news.
    names = (item.publisher, host_of(item.url))
    return content_hash(item.title, item.summary, *names), content_hash(item.title, "", *names)


def _normal(text: str) -> str:
    folded = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    visible = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    spaced = _SPACES.sub(" ", _DASHES.sub("-", _QUOTES.sub("", visible)))
    return _TRAILING.sub("", spaced).strip()


def _without_scheme(guid: str) -> str:
    scheme, separator, rest = guid.partition("://")
    return f"https://{rest}" if separator and scheme.lower() in ("http", "https") else guid


def _fitting(entry_id: str) -> str:
    return entry_id if len(entry_id) <= ID_LIMIT else f"sha256:{_digest(entry_id)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _distinct(*hashes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hashes))
