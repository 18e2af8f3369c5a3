"""Telling owners what has happened to what is theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog

from core.egress.exchange import PushAnswer, PushRequest
from core.signing import SecretBox
from core.store import channels, notices
from core.store.engine import Store
from core.store.leases import Grant, check
from core.store.models import Channel, Source
from core.store.notices import DueNotice
from notifiers.channels.base import ChannelKind, PushKind, Transports
from notifiers.contacts import ToAddress, ToNobody, masked, whom_to_tell
from notifiers.mail import hand_over, mail_of
from notifiers.notice_content import event_body, source_words, words_of

log = structlog.get_logger()

AT_ONCE = 20
TEMPLATES = "notice"
SOURCE_TEMPLATES = "source_notice"
DELETED = "the channel was deleted before its owner was told"
SOURCE_DELETED = "the source was deleted before its owner was told"

Perform = Callable[[PushRequest], PushAnswer]


@dataclass(frozen=True)
class Installation:
    """What an installation says of itself: the mail address of who runs it, and where its API is."""

    contact: str | None
    public_url: str | None


class OwnerNotices:
    """A leader's job: each pass tells up to 20 notices, one of each account at most.

    Every write checks the leader's token in its own transaction; nothing is sent inside of one.
    """

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, ChannelKind],
        transports: Transports,
        box: SecretBox,
        perform: Perform,
        installation: Installation,
    ) -> None:
        self._store, self._kinds, self._box = store, kinds, box
        self._transports, self._perform = transports, perform
        self._installation, self._clock = installation, transports.clock

    def __call__(self, grant: Grant) -> None:
        """Run once; raises LeaseLost when somebody else leads."""
        with self._store.write() as session:
            check(session, grant)
            waiting = notices.take_due(session, self._clock.now(), AT_ONCE)
        for due in waiting:
            self._settle(grant, due)

    def _settle(self, grant: Grant, due: DueNotice) -> None:
        about = due.channel or due.source
        if about is None:
            self._close(grant, due, SOURCE_DELETED if due.notice.source_id else DELETED)
            return
        try:
            told = self._tell(due, about)
        except Exception as error:
            # Whatever is wrong with one notice must not keep the others from being told.
            log.exception("a notice failed", notice=due.notice.id)
            self._postpone(grant, due, f"internal: {type(error).__name__}")
            return
        if isinstance(told, ToNobody):
            self._close(grant, due, told.problem)
        elif told is None:
            self._mark_told(grant, due)
        else:
            self._postpone(grant, due, told)

    def _tell(self, due: DueNotice, about: Channel | Source) -> str | ToNobody | None:
        """Try once; return what went wrong, for the owner to read, so without anybody else's address."""
        target = self._target(about) if isinstance(about, Channel) else None
        recipient = whom_to_tell(due, target, self._installation.contact)
        if isinstance(recipient, ToNobody):
            return recipient
        if isinstance(recipient, ToAddress):
            return self._mail(due, about, target, recipient.address)
        config = channels.unseal(self._box, recipient.channel)
        if recipient.channel.kind == "email":
            return self._mail(due, about, target, config["address"])
        return self._push(due, about, self._kinds[recipient.channel.kind], config)

    def _target(self, channel: Channel) -> str | None:
        kind = self._kinds.get(channel.kind)
        return kind.target(channels.unseal(self._box, channel)) if kind else None

    def _mail(self, due: DueNotice, about: Channel | Source, target: str | None, address: str) -> str | None:
        templates, words = self._words(due, about, target)
        outcome = hand_over(
            lambda: mail_of(templates, due.notice.id, words, address, self._transports),
            self._transports,
        )
        return None if outcome.reason is None else _problem("mail", outcome.reason, outcome.status)

    def _words(
        self, due: DueNotice, about: Channel | Source, target: str | None
    ) -> tuple[str, dict[str, Any]]:
        account = due.account.name if due.account else None
        url = self._installation.public_url
        if isinstance(about, Source):
            return SOURCE_TEMPLATES, vars(source_words(due.notice, about, account=account, public_url=url))
        shown = masked(target) if target else None
        words = words_of(due.notice, about, target=shown, account=account, public_url=url)
        return TEMPLATES, vars(words)

    def _push(
        self, due: DueNotice, about: Channel | Source, kind: ChannelKind, config: Mapping[str, Any]
    ) -> str | None:
        pusher = cast(PushKind, kind).open(config)
        body = event_body(due.notice, about)
        answer = self._perform(pusher.request(due.notice.id, body, self._clock.now()))
        if answer.reason is None and answer.status is not None and 200 <= answer.status < 300:
            return None
        return _problem(kind.name, answer.reason or "not accepted", answer.status)

    def _mark_told(self, grant: Grant, due: DueNotice) -> None:
        with self._store.write() as session:
            check(session, grant)
            notices.mark_told(session, due.notice.id, self._clock.now())
        notice = due.notice
        log.info("owner told", notice=notice.id, channel=notice.channel_id, source=notice.source_id)

    def _postpone(self, grant: Grant, due: DueNotice, problem: str) -> None:
        with self._store.write() as session:
            check(session, grant)
            next_try = notices.postpone(session, due.notice, problem, self._clock.now())
        _not_told(due, problem, next_try=next_try.isoformat() if next_try else None)

    def _close(self, grant: Grant, due: DueNotice, problem: str) -> None:
        with self._store.write() as session:
            check(session, grant)
            notices.close(session, due.notice.id, problem)
        _not_told(due, problem, next_try=None)


def _problem(way: str, reason: str, status: int | None) -> str:
    return f"{way}: {reason}" + (f" (status {status})" if status is not None else "")


def _not_told(due: DueNotice, problem: str, *, next_try: str | None) -> None:
    notice = due.notice
    log.warning(
        "owner not told",
        notice=notice.id,
        channel=notice.channel_id,
        source=notice.source_id,
        problem=problem,
        next_try=next_try,
    )
