"""Asking addresses whether they want what a channel sends; until they say so, they get nothing else."""

import re
from collections.abc import Iterable
from dataclasses import replace

import structlog

from core.errors import Reason
from core.signing import MailPurpose, SecretBox
from core.store import channels, confirmations
from core.store.confirmations import DueConfirmation
from core.store.engine import Store
from core.store.leases import Grant, check
from core.store.models import Channel
from core.text import shorten
from notifiers.channels.base import Transports
from notifiers.mail import Letter, hand_over, mail_of

log = structlog.get_logger()

AT_ONCE = 50
OF_ACCOUNT = 10
TEMPLATES = "confirmation"
TOPIC_LIMIT = 60
NOT_ASKED = "the channel was confirmed, changed or deleted before its address was asked"
# Nobody may have Clarion send advertisements to strangers: mail programs make links of these.
_LINK_LIKE = re.compile(r"[./:@\\]")


class ConfirmationMails:
    """A leader's job: each pass sends up to 50 confirmation mails, 10 of each account at most.

    Every write checks the leader's token in its own transaction; nothing is sent inside of one.
    """

    def __init__(self, store: Store, transports: Transports, box: SecretBox) -> None:
        self._store, self._transports, self._box = store, transports, box
        self._clock = transports.clock

    def __call__(self, grant: Grant) -> None:
        """Run once; raises LeaseLost when somebody else leads."""
        with self._store.write() as session:
            check(session, grant)
            waiting = confirmations.take_due(session, self._clock.now(), AT_ONCE, OF_ACCOUNT)
        for due in waiting:
            self._settle(grant, due)

    def forget_old(self, grant: Grant) -> None:
        """Delete what limits no more asking."""
        with self._store.write() as session:
            check(session, grant)
            confirmations.forget_old(session, self._clock.now())

    def _settle(self, grant: Grant, due: DueConfirmation) -> None:
        problem, final = NOT_ASKED, True
        if due.channel is not None:
            problem, final = self._ask(due, due.channel)
        id_, now = due.confirmation.id, self._clock.now()
        with self._store.write() as session:
            check(session, grant)
            if not problem:
                confirmations.mark_sent(session, id_, now)
            elif final:
                confirmations.close(session, id_, problem)
            else:
                final = confirmations.postpone(session, due.confirmation, problem, now) is None
        if problem and due.channel is not None:
            log.warning("address not asked", channel=due.channel.id, problem=problem, given_up=final)

    def _ask(self, due: DueConfirmation, channel: Channel) -> tuple[str, bool]:
        """Try once; return what went wrong, if anything, and whether trying again is of no use."""
        try:
            address = channels.unseal(self._box, channel)["address"]
            outcome = hand_over(lambda: self._compose(due, channel, address), self._transports)
        except Exception as error:
            # Whatever is wrong with one mail must not keep the others from being sent.
            log.exception("a confirmation mail failed", channel=channel.id)
            return f"{Reason.INTERNAL}: {type(error).__name__}", False
        if outcome.reason is None:
            return "", True
        status = f" (status {outcome.status})" if outcome.status else ""
        return f"{outcome.reason}{status}", outcome.permanent

    def _compose(self, due: DueConfirmation, channel: Channel, address: str) -> Letter:
        links = self._transports.mail_options.links
        if links is None:
            raise ValueError("there is no public URL that a link could lead to")
        topics = list(_harmless(due.queries))
        words = {
            "sender": _name(self._transports.mail_from),
            "topics": topics,
            "more_topics": due.queries_total - len(topics),
            "confirm_url": links.link(MailPurpose.CONFIRM, channel.id, channel.target_hash),
        }
        letter = mail_of(TEMPLATES, due.confirmation.id, words, address, self._transports)
        bounces = self._transports.mail_options.bounce_address
        if bounces is None:
            return letter
        return replace(letter, sender=links.tokens.return_path(bounces, channel.id, channel.target_hash))


def _harmless(queries: Iterable[str]) -> Iterable[str]:
    return (shorten(query, TOPIC_LIMIT) for query in queries if not _LINK_LIKE.search(query))


def _name(mail_from: str) -> str:
    return mail_from.rpartition("<")[0].strip().strip('"') or mail_from.strip("<> ")
