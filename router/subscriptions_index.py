"""The matching index, kept in step with the stored subscriptions and aliases."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.orm import Session

from core.store import aliases, queries, revisions
from core.store.revisions import Position
from router.matching import Matcher, QueryError, is_compiled

log = structlog.get_logger()


def _nothing() -> None:
    pass


class SubscriptionsIndex:
    """A `Matcher` that catches up with the revision log before each use; safe to share between threads.

    `loaded` is called when all subscriptions were loaded: at first, where the log does not reach back, and
    after aliases changed.
    """

    def __init__(self, *, loaded: Callable[[], None] = _nothing) -> None:
        self._loaded = loaded
        self._aliases: dict[str, str] = {}
        self._matcher = Matcher()
        self._position: Position | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._matcher)

    def catch_up(self, session: Session) -> None:
        """Apply every change that is visible to a read transaction, in which nothing was read yet.

        So its snapshot is taken while no other thread applies a later one.
        """
        with self._lock:
            changes = revisions.changes_since(session, self._position)
            if changes.numbers is None or self._aliases_differ(session, changes.numbers):
                self._load(session)
            else:
                self._apply(session, changes.numbers)
            self._position = changes.position

    def _aliases_differ(self, session: Session, changed: list[int]) -> bool:
        return revisions.ALIASES in changed and aliases.present(session) != self._aliases

    def _load(self, session: Session) -> None:
        self._position = None  # until all is loaded: what breaks off is to be done again
        self._aliases = aliases.present(session)
        matcher = _matcher(self._aliases)
        for code, numbers in queries.all_subscribers(session):
            matcher.load(code, numbers)
        self._matcher = matcher
        log.info(
            "subscriptions loaded",
            count=len(matcher),
            queries=matcher.queries,
            aliases=len(self._aliases),
            compiled_index=is_compiled(),
        )
        self._loaded()

    def _apply(self, session: Session, numbers: list[int]) -> None:
        gone = set(numbers)
        for code, present in queries.subscribers(session, numbers):
            self._matcher.load(code, present)
            gone.difference_update(present)
        for number in gone:
            self._matcher.discard(number)

    def match(
        self,
        title: str,
        summary: str,
        *,
        source: tuple[str, ...],
        language: str | None,
        categories: list[str],
    ) -> list[int]:
        """Return the numbers of the subscriptions that match an article."""
        with self._lock:
            found = self._matcher.match(
                title, summary, source=source or None, language=language, categories=categories
            )
        return found[:]


def _matcher(meanings: dict[str, str]) -> Matcher:
    try:
        return Matcher(meanings)
    except QueryError as error:
        # Checked as well when they were stored; better without aliases than without news.
        log.error("the stored aliases are not understood", problem=str(error))
        return Matcher()
