"""Which article an item is, and whether what it says is news: decisions without any I/O."""

import hashlib
import re
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
from fetcher.wording import without_outlet, wording

ID_LIMIT = 512
MOST_VERSIONS = 24
DEFAULT_BACKFILL = 10
# Every poll sees every entry again; noting that more often would be a write per entry and poll.
TOUCH_AFTER = timedelta(hours=6)

_COUNTER = re.compile(r"#\d{1,4}$")


@dataclass(frozen=True, slots=True)
class Identified:
    """An item and the id under which its source's entries know it."""

    entry_id: str
    item: Item


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """What is stored of an entry: its version, the hashes of everything it ever said, `link_of` its item."""

    version: int
    seen_hashes: tuple[str, ...]
    last_seen_at: datetime
    link: str | None = None


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

    An address as guid is the same with http and https, and with another number behind the address of the
    item itself, as in `…/story#2`, with which some publishers count versions. At most 512 characters.
    """
    if item.guid:
        return guid_identity(_without_counter(item.guid, item.url))
    canonical = canonical_url(item.url) if item.url else None
    return _fitting(canonical or f"content:{content_hash(item.title, item.summary)}")


def guid_identity(guid: str) -> str:
    """Return the id of an item that has a guid."""
    return _fitting(_without_scheme(guid))


def link_of(item: Item) -> str | None:
    """Return a fingerprint of where an item leads, the same for all variants of an address; None without."""
    canonical = canonical_url(item.url) if item.url else None
    return _digest(canonical)[:16] if canonical else None


def candidate_ids(items: Iterable[Item]) -> set[str]:
    """Return every id that `identify` may give to these items: what to load before calling it."""
    return {candidate for item in items for candidate in (identity(item), _qualified(item))}


def identify(items: Iterable[Item], known: Mapping[str, KnownEntry]) -> tuple[Identified, ...]:
    """Give each item of one document its id, leaving out repetitions of one article.

    Items that share a guid but not a link are different articles, whether they stand in one document or
    one comes after the other; hence `known`, the stored entries among `candidate_ids`. Only an item that
    says what its guid has said before is the same article, which has moved.
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


def content_hash(title: str, summary: str) -> str:
    """Return a hash of what an article says, the same after changes that no reader would call news.

    How it is written does not count (`fetcher.wording`), nor does what an article message would cut off.
    """
    normal = f"{wording(title[:TITLE_LIMIT])}\n{wording(summary[:SUMMARY_LIMIT])}"
    return hashlib.sha256(normal.encode("utf-8", "replace")).hexdigest()[:32]


def decide(known: KnownEntry | None, item: Item, now: datetime) -> Decision:
    """Say whether an item is a new article, a new version of one, or nothing new.

    What an article said before is never news again; after 24 versions nothing is.
    """
    titles = _titles(item)
    full = _hashes(titles, item.summary)
    if known is None:
        return New(_distinct(*full, *_hashes(titles)))
    # The title alone counts as said, so that a summary that goes missing for a while is not news.
    if _seen(full, known) or known.version >= MOST_VERSIONS:
        moved = link_of(item) != known.link
        return Unchanged(touch=moved or now - known.last_seen_at >= TOUCH_AFTER)
    return Updated(known.version + 1, _distinct(*known.seen_hashes, *full, *_hashes(titles)))


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
    entry = known.get(plain)
    if entry is None:
        return qualified if shared else plain
    if not shared and not _leads_elsewhere(item, entry):
        return plain
    titles = _titles(item)
    said_before = _seen(_hashes(titles, item.summary), entry) or (
        not shared and _seen(_hashes(titles), entry)
    )
    return plain if said_before else qualified


def _seen(hashes: tuple[str, ...], entry: KnownEntry) -> bool:
    return not set(hashes).isdisjoint(entry.seen_hashes)


def _leads_elsewhere(item: Item, entry: KnownEntry) -> bool:
    link = link_of(item)
    return bool(item.guid) and None not in (link, entry.link) and link != entry.link


def _qualified(item: Item) -> str:
    """Return the id of an item whose plain one other items of the document have too."""
    link = canonical_url(item.url) if item.guid and item.url else None
    return _fitting(f"{identity(item)}#{_digest(link or content_hash(item.title, item.summary))[:16]}")


def _titles(item: Item) -> tuple[str, ...]:
    """Return an item's title without an outlet's name behind it, and with."""
    title = without_publisher(item.title[:TITLE_LIMIT], item.publisher, host_of(item.url))
    return _distinct(_without_names(title, item), title)


def _hashes(titles: Iterable[str], summary: str = "") -> tuple[str, ...]:
    return tuple(content_hash(one, summary) for one in titles)


def _without_names(title: str, item: Item) -> str:
    while (shorter := without_outlet(title)) != title:
        title = without_publisher(shorter, item.publisher, host_of(item.url))
    return title


def _without_counter(guid: str, url: str | None) -> str:
    bare = _COUNTER.sub("", guid)
    if bare == guid or url is None or "#" in url or canonical_url(bare) != canonical_url(url):
        return guid
    return bare


def _without_scheme(guid: str) -> str:
    scheme, separator, rest = guid.partition("://")
    return f"https://{rest}" if separator and scheme.lower() in ("http", "https") else guid


def _fitting(entry_id: str) -> str:
    return entry_id if len(entry_id) <= ID_LIMIT else f"sha256:{_digest(entry_id)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _distinct(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
