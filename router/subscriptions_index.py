"""The matching index, kept in step with the stored subscriptions and aliases."""

import structlog
from sqlalchemy.orm import Session

from core.store import aliases, revisions
from core.store import subscriptions as stored
from router.matching import Matcher, QueryError

log = structlog.get_logger()


class SubscriptionsIndex:
    """A `Matcher` that catches up with the revision log before each use; for one thread."""

    def __init__(self) -> None:
        self._matcher = Matcher()
        self._aliases: dict[str, str] = {}
        self._position: int | None = None

    def __len__(self) -> int:
        return len(self._matcher)

    def catch_up(self, session: Session) -> None:
        """Apply every change that is visible to this read transaction."""
        position = revisions.position(session)
        changed = revisions.changed_since(session, self._position) if self._position is not None else []
        if self._position is None or self._aliases_differ(session, changed):
            self._load(session)
        else:
            self._apply(session, changed)
        self._position = position

    def _aliases_differ(self, session: Session, changed: list[int]) -> bool:
        """Tell whether other aliases hold now; a logged change is seen until no older transaction runs."""
        return revisions.ALIASES in changed and aliases.present(session) != self._aliases

    def _load(self, session: Session) -> None:
        self._position = None  # an index that was loaded in part must not be caught up with
        self._aliases = aliases.present(session)
        self._matcher = _matcher(self._aliases)
        for subscription in stored.all_compiled(session):
            self._put(subscription)
        log.info("subscriptions loaded", count=len(self._matcher), aliases=len(self._aliases))

    def _apply(self, session: Session, numbers: list[int]) -> None:
        if not numbers:
            return
        present = stored.compiled(session, numbers)
        for number in numbers:
            if number in present:
                self._put(present[number])
            else:
                self._matcher.discard(number)

    def _put(self, subscription: stored.Compiled) -> None:
        try:
            self._matcher.add(
                subscription.number,
                subscription.canonical,
                sources=subscription.sources,
                languages=subscription.languages,
            )
        except QueryError as error:
            # Checked when it was stored, so only a change of the language can bring us here.
            log.error("a stored query is not understood", number=subscription.number, problem=str(error))

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
        found = self._matcher.match(
            title, summary, source=source or None, language=language, categories=categories
        )
        return [int(number) for number in found]


def _matcher(meanings: dict[str, str]) -> Matcher:
    try:
        return Matcher(meanings)
    except QueryError as error:
        # Checked as well when they were stored; better without aliases than without news.
        log.error("the stored aliases are not understood", problem=str(error))
        return Matcher()
