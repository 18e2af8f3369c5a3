"""What a chat message shows of its articles, and how much of it, until it fits into a service's limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.text import one_line, shorten
from notifiers.notice import Notice

MOST_SHOWN = 20
_QUERIES_NAMED = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One article as a chat shows it, all of it plain text."""

    title: str
    summary: str
    url: str | None
    source: str
    published_at: str | None
    updated: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """One message: its articles, how many more it only counts, where those are, and what they match."""

    items: Sequence[Item]
    more: int
    link: str | None
    matches: str

    @property
    def heading(self) -> str:
        """What stands above several articles."""
        return f"{len(self.items) + self.more:,} new articles"

    @property
    def rest(self) -> str:
        """What counts the articles that are not shown; empty if all are."""
        return f"and {self.more:,} more" if self.more else ""

    @property
    def brief(self) -> str:
        """The message in a line, for notifications on phones and the like."""
        first = self.items[0]
        title = f"Updated: {first.title}" if first.updated else first.title
        return f"{self.heading}: {title}" if self.more or len(self.items) > 1 else title


@dataclass(frozen=True, slots=True)
class _Room:
    """How many characters may be spent on an article's parts."""

    title: int
    summary: int
    url: int


_ALONE = (_Room(300, 600, 2_000), _Room(300, 200, 1_000))
_TOGETHER = (_Room(200, 0, 1_000),)
_NARROWEST = (_Room(150, 0, 500), _Room(100, 0, 0))


def tellings(notice: Notice) -> Iterator[Telling]:
    """Yield a notice as messages that become shorter and shorter; the last has a title of 100 characters."""
    notices, total = notice.told, notice.total
    shown = notices if notice.is_digest else notices[:MOST_SHOWN]
    matches = _matches(notices)
    if len(shown) == 1:
        for room in (*_ALONE, *_NARROWEST):
            yield _telling(shown, room, total, notice.link, matches)
        return
    for room in _TOGETHER:
        for count in _fewer(len(shown)):
            yield _telling(shown[:count], room, total, notice.link, matches)
    for room in _NARROWEST:
        yield _telling(shown[:1], room, total, notice.link, matches)


def _fewer(count: int) -> Iterator[int]:
    while count > 1:
        yield count
        count = count * 3 // 4


def _telling(shown: Sequence[Notice], room: _Room, total: int, link: str | None, matches: str) -> Telling:
    return Telling([_item(one, room) for one in shown], total - len(shown), link, matches)


def _item(notice: Notice, room: _Room) -> Item:
    article: dict[str, Any] = notice.article
    url, source = article["url"], article["source"]
    return Item(
        title=shorten(one_line(article["title"]), room.title) or "Untitled",
        summary=shorten(article["summary"], room.summary) if room.summary else "",
        url=url if url and len(url) <= room.url else None,
        source=shorten(one_line(source["name"]), 80) if source else "",
        published_at=article["published_at"],
        updated=notice.event == "article.updated",
    )


def _matches(notices: Sequence[Notice]) -> str:
    """Name the first few of the queries that the articles match."""
    queries = dict.fromkeys(one_line(query) for one in notices for _id, query in one.subscriptions)
    named = [shorten(query, 80) for query in list(queries)[:_QUERIES_NAMED]]
    return "; ".join(named) + (" …" if len(queries) > _QUERIES_NAMED else "")


def units(text: str) -> int:
    """Return the length of a text in UTF-16 code units, which no service counts fewer of than it says."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
