"""Sources as clients ask for them, checked by their kind and by the guard of the way out."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.inputs import Folder, Input, Name
from api.ports import SourceKindPort
from api.problems import invalid
from api.services import Services
from core.egress import BlockedUrl, EgressPolicy, Target, check_url_now
from core.store.sources import PUSH_SCHEME, NewSource
from core.text import one_line

SHORTEST_INTERVAL, LONGEST_INTERVAL = 60, 7 * 86_400
NOT_POLLED = "articles are pushed to this source: there is nothing to poll"

Interval = Annotated[int, Field(ge=SHORTEST_INTERVAL, le=LONGEST_INTERVAL)]
Judge = Callable[[str, EgressPolicy], Target]


class NewSourceInput(Input):
    """A source; its `url` may be left out where its kind is not polled and it has a name."""

    url: Annotated[str, Field(min_length=1, max_length=4_000)] | None = None
    kind: Annotated[str, Field(min_length=1, max_length=100)] = "feed"
    name: Name | None = None
    folder: Folder | None = None
    interval_seconds: Interval | None = None


def checked_source(
    services: Services, wanted: NewSourceInput, now: datetime, judge: Judge = check_url_now
) -> NewSource:
    """Return the source to make, due at once where it is polled; raises Problem naming the field."""
    kind = _kind(services, wanted.kind)
    if kind.default_interval_seconds is None:
        return _pushed(kind, wanted)
    if wanted.url is None:
        raise invalid("url", f"is required, as in {kind.example_url}")
    try:
        kind.check(wanted.url)
        target = judge(wanted.url, services.egress)
    except (ValueError, BlockedUrl) as error:
        raise invalid("url", str(error)) from error
    name = wanted.name or target.host
    return NewSource(kind.name, target.url, name, wanted.interval_seconds, now, wanted.folder)


def _kind(services: Services, name: str) -> SourceKindPort:
    kinds = services.source_kinds
    if name not in kinds:
        raise invalid("kind", f"not a kind of source: there are {', '.join(sorted(kinds))}")
    return kinds[name]


def _pushed(kind: SourceKindPort, wanted: NewSourceInput) -> NewSource:
    """Return a source that is not polled: a pushed article finds it by the name that its address holds."""
    if wanted.interval_seconds is not None:
        raise invalid("interval_seconds", NOT_POLLED)
    if wanted.url is None and wanted.name is None:
        raise invalid("name", "is required for a source that is not polled")
    url = wanted.url or f"{PUSH_SCHEME}{wanted.name}"
    try:
        kind.check(url)
    except ValueError as error:
        raise invalid("url", str(error)) from error
    name = one_line(url.removeprefix(PUSH_SCHEME))
    if wanted.name not in (None, name):
        raise invalid("name", "must be the one that the address holds")
    return NewSource(kind.name, f"{PUSH_SCHEME}{name}", name, folder=wanted.folder)
