"""The delivery engine: many POSTs at once from one thread, on libcurl's multi interface."""

import heapq
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Generic, TypeVar

import pycurl
import structlog

from core.clock import Clock
from core.egress import BlockedUrl, EgressPolicy, Transfer
from core.egress.exchange import PushAnswer
from core.errors import Reason
from notifiers.acquaintance import Acquaintance
from notifiers.channels.base import CONNECT_SECONDS, TRANSFER_SECONDS, Pusher
from notifiers.lines import Bounds, Lines
from notifiers.multi_loop import MultiLoop
from notifiers.pacing import TOLERANCE

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 1.0
STUMBLE_SECONDS = 0.1
NO_ROOM_WAIT = timedelta(seconds=2)
SUSPECT_WAIT = timedelta(seconds=30)
CUT_OFF_SECONDS = 0.5
_LATE_SECONDS = TOLERANCE.total_seconds()


J = TypeVar("J")


@dataclass(slots=True, eq=False)
class Push(Generic[J]):
    """One message for one channel; `not_before` is its slot, in monotonic seconds, where it has one.

    `job` is what the submitter wants to find in the result.
    """

    message_id: str
    channel_id: str
    origin: str
    pusher: Pusher
    body: bytes
    job: J
    suspect: bool = False
    not_before: float | None = None


@dataclass(slots=True, eq=False)
class Pushed(Generic[J]):
    """How a push ended; `answer` is None when it was not tried, and then it should come back after `wait`."""

    push: Push[J]
    answer: PushAnswer | None
    started_at: datetime
    duration_ms: int = 0
    wait: timedelta = timedelta(0)


class PushEngine(Generic[J]):
    """Pushes what is submitted, within bounds, and hands over what ended, many at a time.

    `connect_seconds`, `total_seconds` and `ca_file` are those of `Transfer`.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        finish: Callable[[Sequence[Pushed[J]]], None],
        clock: Clock,
        *,
        user_agent: str,
        bounds: Bounds | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TRANSFER_SECONDS,
        ca_file: str | None = None,
    ) -> None:
        self._new_transfer = partial(
            Transfer,
            policy,
            user_agent,
            connect_seconds=connect_seconds,
            total_seconds=total_seconds,
            ca_file=ca_file,
        )
        self._bounds = bounds or Bounds()
        self._finish, self._clock = finish, clock
        self._intake: deque[Push[J]] = deque()
        self._lines: Lines[Push[J]] = Lines(self._bounds)
        self._slots: list[tuple[float, int, Push[J]]] = []
        self._order = count()
        self._idle: list[Transfer] = []
        self._busy: dict[pycurl.Curl, _Busy[J]] = {}
        self._ended: list[Pushed[J]] = []
        self._acquaintance = Acquaintance()
        self._wake_up = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = self._cutting_off = False
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def start(self) -> None:
        """Begin to push."""
        self._thread.start()

    def submit(self, pushes: Sequence[Push[J]]) -> None:
        """Line pushes up; safe from any thread."""
        if pushes:
            self._intake.extend(pushes)
            os.eventfd_write(self._wake_up, 1)

    def stop(self, patience_seconds: float) -> None:
        """Begin nothing new, and wait for what is under way; cut off what takes longer, without a result."""
        self._stopping = True
        self._join(patience_seconds)
        self._cutting_off = True
        self._join(CUT_OFF_SECONDS)

    def __del__(self) -> None:
        os.close(self._wake_up)

    def _join(self, seconds: float) -> None:
        if self._thread.is_alive():
            os.eventfd_write(self._wake_up, 1)
            self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        loop = MultiLoop(self._wake_up)
        while (self._busy or not self._stopping) and not self._cutting_off:
            try:
                self._step(loop)
            except Exception:
                log.exception("the delivery engine stumbled")
                time.sleep(STUMBLE_SECONDS)  # whatever it is, it must not fill the log
        self._hand_over()
        self._close(loop)

    def _step(self, loop: MultiLoop) -> None:
        if not self._stopping:
            self._line_up()
            now, started = self._clock.now(), time.monotonic()
            while (push := self._lines.take()) is not None:
                self._start(loop, push, now, started)
        self._hand_over()
        loop.turn(self._pause())
        for handle, error, words in loop.done():
            self._complete(loop, handle, error, words)

    def _line_up(self) -> None:
        now = time.monotonic()
        while self._intake:
            push = self._intake.popleft()
            if push.not_before is not None and push.not_before > now:
                heapq.heappush(self._slots, (push.not_before, next(self._order), push))
            else:
                self._put(push)
        while self._slots and self._slots[0][0] <= now:
            self._put(heapq.heappop(self._slots)[2])

    def _put(self, push: Push[J]) -> None:
        if not self._lines.put(push):
            self._leave(push, SUSPECT_WAIT if push.suspect else NO_ROOM_WAIT)

    def _pause(self) -> float:
        until_slot = self._slots[0][0] - time.monotonic() if self._slots else LONGEST_PAUSE_SECONDS
        return max(0.0, min(LONGEST_PAUSE_SECONDS, until_slot))

    def _start(self, loop: MultiLoop, push: Push[J], now: datetime, started: float) -> None:
        if push.not_before is not None and started > push.not_before + _LATE_SECONDS:
            self._lines.end(push)
            self._leave(push, timedelta(0))
            return
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        try:
            transfer.prepare(push.pusher.request(push.message_id, push.body, now))
        except BlockedUrl as error:
            self._refuse(transfer, push, PushAnswer(reason=Reason.BLOCKED, detail=str(error)))
        except Exception:
            log.exception("a push could not be prepared", channel=push.channel_id)
            self._refuse(transfer, push, PushAnswer(reason=Reason.INTERNAL))
        else:
            known = self._acquaintance.has_met(push.origin)
            self._busy[transfer.curl] = _Busy(transfer, push, known, now, started)
            loop.add(transfer.curl, known=known)

    def _refuse(self, transfer: Transfer, push: Push[J], answer: PushAnswer) -> None:
        self._idle.append(transfer)
        self._lines.end(push)
        self._ended.append(Pushed(push, answer, self._clock.now()))

    def _leave(self, push: Push[J], wait: timedelta) -> None:
        self._ended.append(Pushed(push, None, self._clock.now(), wait=wait))

    def _complete(self, loop: MultiLoop, handle: pycurl.Curl, error: int | None, words: str) -> None:
        busy = self._busy.pop(handle)
        loop.remove(handle, known=busy.known)
        answer = busy.transfer.answer(error, words)
        self._idle.append(busy.transfer)
        self._lines.end(busy.push)
        self._acquaintance.note(busy.push.origin, answer)
        if answer.reason is Reason.TIMEOUT:
            # What waits behind a receiver that hangs would take places from others for as long as it does.
            for waiting in self._lines.shed(busy.push.channel_id):
                self._leave(waiting, SUSPECT_WAIT)
        duration = int((time.monotonic() - busy.started) * 1_000)
        self._ended.append(Pushed(busy.push, answer, busy.started_at, duration))

    def _close(self, loop: MultiLoop) -> None:
        for handle, busy in self._busy.items():
            loop.remove(handle, known=busy.known)
            busy.transfer.close()
        for transfer in self._idle:
            transfer.close()
        loop.close()

    def _hand_over(self) -> None:
        if self._ended:
            ended, self._ended = self._ended, []
            self._finish(ended)


@dataclass(slots=True, eq=False)
class _Busy(Generic[J]):
    """A transfer under way."""

    transfer: Transfer
    push: Push[J]
    known: bool
    started_at: datetime
    started: float
