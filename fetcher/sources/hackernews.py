"""The kind `hackernews`: the stories of Hacker News (https://github.com/HackerNews/API).

The address of a source is one of the API's lists; its items are asked for at the same server, each once.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from core.errors import Reason
from core.text import SUMMARY_LIMIT, plain_text, shorten, storable
from fetcher.dates import bounded
from fetcher.parsing.encoding import decode
from fetcher.parsing.nodes import Node, get, json_object, text
from fetcher.parsing.titles import plain_title
from fetcher.sources.base import (
    Document,
    FetchRequest,
    Item,
    ParsedDocument,
    SourceError,
    require_success,
)
from fetcher.urls import check_web_address, resolve

MOST_STORIES = 60  # a list has up to 500; these are its first two pages

_LISTS = ("topstories", "newstories", "beststories", "askstories", "showstories", "jobstories")
_STORY = re.compile(r"/item/\d+\.json$")
_TYPES = frozenset({"story", "job", "poll"})
_DISCUSSION = "https://news.ycombinator.com/item?id={}"
_TITLE = "Hacker News"
_ACCEPT = {"Accept": "application/json"}


class HackerNewsKind:
    """Reads a list of ids, then those of its stories that are not known yet."""

    name = "hackernews"
    default_interval_seconds = 900
    shortest_interval_seconds = 300
    example_url = "https://hacker-news.firebaseio.com/v0/topstories.json"

    def check(self, url: str) -> None:
        """Raise ValueError, in words for people, unless `url` is that of a list of stories."""
        check_web_address(url)
        name = urlsplit(url).path.rpartition("/")[2]
        if not name.endswith(".json") or name.removesuffix(".json") not in _LISTS:
            raise ValueError(f"must be a list of the Hacker News API, as in {self.example_url}")

    def request(
        self, url: str, etag: str | None, last_modified: str | None, secrets: Mapping[str, str]
    ) -> FetchRequest:
        """Return the GET of the list."""
        # Not conditional: what a poll had no time for is asked for at the next, though the list be the same.
        return FetchRequest(url, _ACCEPT)

    def parse(self, document: Document, now: datetime) -> ParsedDocument:
        """Read a list or one story; raise SourceError for what is neither."""
        if not _STORY.search(urlsplit(document.url).path):
            return _list(document, now)
        if document.status in (429, 503):
            require_success(document, now)
        story = json_object(decode(document.body, document.content_type)) if document.status == 200 else None
        item = _item(story, now) if story else None
        return ParsedDocument((item,) if item else (), _TITLE)


def _list(document: Document, now: datetime) -> ParsedDocument:
    require_success(document, now)
    stories = tuple(
        FetchRequest(urljoin(document.url, f"item/{id_}.json"), _ACCEPT, guid=_DISCUSSION.format(id_))
        for id_ in _ids(document)[:MOST_STORIES]
    )
    return ParsedDocument((), _TITLE, more=stories)


def _ids(document: Document) -> list[int]:
    try:
        found = json.loads(decode(document.body, document.content_type))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise SourceError(Reason.PROTOCOL, "The answer is not a list of ids as the Hacker News API gives it")
    return list(dict.fromkeys(id_ for id_ in found if _is_id(id_)))


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53


def _item(story: Node, now: datetime) -> Item | None:
    """Return a story; what was deleted or flagged, and a comment, is none."""
    id_, title = get(story, "id"), plain_title(text(story, "title"))
    if get(story, "dead") or get(story, "deleted") or not _is_id(id_) or not title:
        return None
    if text(story, "type") not in _TYPES:
        return None
    discussion, author = _DISCUSSION.format(id_), plain_title(text(story, "by"))
    return Item(
        title=title,
        summary=shorten(plain_text(storable(text(story, "text"))), SUMMARY_LIMIT),
        guid=discussion,
        url=resolve(discussion, get(story, "url")) or discussion,
        published_at=_published_at(get(story, "time"), now),
        language="en",
        authors=(author,) if author else (),
    )


def _published_at(seconds: object, now: datetime) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return bounded(datetime.fromtimestamp(seconds, UTC), now)
    except (OverflowError, ValueError, OSError):
        return None


KIND = HackerNewsKind()
