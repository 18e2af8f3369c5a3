"""Lists of sources coming in and going out: each source of a list is judged by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.inputs import parse
from api.new_sources import NewSourceInput, checked_source
from api.opml import Outline
from api.problems import Problem
from api.services import Services
from core.egress import check_url
from core.store import sources
from core.store.models import Source
from core.store.sources import NewSource

AT_ONCE = 200
RSS = "rss"
FEED = "feed"


@dataclass(frozen=True)
class Judged:
    """A source of a list: what to make of it, or why it is refused."""

    outline: Outline
    new: NewSource | None
    refusal: str | None = None


def import_outlines(
    services: Services, owner: str | None, outlines: Sequence[Outline], now: datetime
) -> list[dict[str, Any]]:
    """Make the sources that are new to the owner, and return what became of each of the list."""
    judged = [_judge(services, outline, now) for outline in outlines]
    ids: dict[str, str] = {}
    made: set[str] = set()
    wanted = list({one.new.url: one.new for one in reversed(judged) if one.new}.values())[::-1]
    for start in range(0, len(wanted), AT_ONCE):
        with services.store.write() as session:
            found = sources.create_missing(session, owner, wanted[start : start + AT_ONCE], now)
        ids.update(found.ids)
        made |= found.made
    return [_report(one, ids, made) for one in judged]


def outline_of(source: Source) -> Outline:
    """Return a source as it stands in a list; other kinds than feeds are named as the outline's type."""
    kind = RSS if source.kind == FEED else source.kind
    return Outline(source.url, source.name, source.folder or "", kind)


def _judge(services: Services, outline: Outline, now: datetime) -> Judged:
    kind = outline.type if outline.type in services.source_kinds else FEED
    fields = {"kind": kind, "url": outline.url, "name": outline.title, "folder": outline.folder}
    try:
        wanted = parse(NewSourceInput, {name: value for name, value in fields.items() if value})
        # From its text alone: looking up the names of a whole list could take minutes.
        return Judged(outline, checked_source(services, wanted, now, check_url))
    except Problem as problem:
        return Judged(outline, None, problem.detail)


def _report(one: Judged, ids: dict[str, str], made: set[str]) -> dict[str, Any]:
    outline = one.outline
    shown = {
        "line": outline.line,
        "url": outline.url,
        "title": outline.title,
        "folder": outline.folder or None,
    }
    if one.new is None:
        return shown | {"status": "refused", "id": None, "problem": one.refusal}
    is_made = one.new.url in made
    made.discard(one.new.url)  # named again in the list, it is known
    return shown | {"status": "added" if is_made else "known", "id": ids.get(one.new.url), "problem": None}
