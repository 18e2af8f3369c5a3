"""Who may be pushed to next: the bounds on connections, and that nobody pays for a slow receiver.

Pure bookkeeping for the delivery engine. What is tried again, and what goes to a channel that is failing,
is suspect: it may take a quarter of the connections at most, so that first tries always find one.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What waits in a line, as far as lines look at it."""

    @property
    def channel_id(self) -> str:
        """The channel it is for."""

    @property
    def origin(self) -> str:
        """Scheme, host and port that it goes to."""

    @property
    def suspect(self) -> bool:
        """Whether it may take long: a retry, or for a channel that is failing."""


W = TypeVar("W", bound=Waiting)
_SUSPECTS_OF = "suspects of "


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many transfers there may be at once: in all, to one origin, for one channel; and how many wait.

    What waits must leave room for others in what a worker takes on at once, above all what is suspect.
    """

    total: int = 256
    origin: int = 96
    channel: int = 8
    channel_waiting: int = 1_000
    suspects_waiting: int = 1_000
    channel_suspects_waiting: int = 200

    @property
    def suspects(self) -> int:
        """The part of `total` that suspects may take."""
        return max(1, self.total // 4)


class Lines(Generic[W]):
    """First tries and suspects in the order they came, within bounds; for one thread."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._firsts: deque[W] = deque()
        self._suspects: deque[W] = deque()
        self._active = self._active_suspects = self._waiting_suspects = self._turn = 0
        self._of_channel: dict[str, int] = {}
        self._suspects_of_channel: dict[str, int] = {}
        self._of_origin: dict[str, int] = {}
        self._waiting_of_channel: dict[str, int] = {}
        self._parked: dict[str, deque[W]] = {}

    @property
    def active(self) -> int:
        """How many were handed out and have not ended."""
        return self._active

    def put(self, item: W) -> bool:
        """Line up; False when enough is waiting, so that the item must come back later."""
        waiting, bounds = self._waiting_of_channel.get(item.channel_id, 0), self._bounds
        if waiting >= (bounds.channel_suspects_waiting if item.suspect else bounds.channel_waiting):
            return False
        if item.suspect and self._waiting_suspects >= bounds.suspects_waiting:
            return False
        self._waiting_of_channel[item.channel_id] = waiting + 1
        self._waiting_suspects += item.suspect
        (self._suspects if item.suspect else self._firsts).append(item)
        return True

    def take(self) -> W | None:
        """Return the next that may go now, if any; `end` must follow."""
        while self._active < self._bounds.total:
            line = self._line()
            if line is None:
                return None
            item = line.popleft()
            full = self._full(item)
            if full is None:
                return self._begin(item)
            self._park(full, item)
        return None

    def end(self, item: W) -> None:
        """Free the place that an item had, for one that was waiting for just that."""
        self._active -= 1
        self._active_suspects -= item.suspect
        _less(self._of_channel, item.channel_id)
        _less(self._of_origin, item.origin)
        if item.suspect:
            _less(self._suspects_of_channel, item.channel_id)
            self._unpark(_suspects_key(item))
        self._unpark(item.channel_id)
        self._unpark(item.origin)

    def shed(self, channel_id: str) -> list[W]:
        """Return what waits because its channel is busy, and forget it, as when the channel hangs."""
        shed = [*self._parked.pop(channel_id, ()), *self._parked.pop(f"{_SUSPECTS_OF}{channel_id}", ())]
        for item in shed:
            _less(self._waiting_of_channel, channel_id)
            self._waiting_suspects -= item.suspect
        return shed

    def _line(self) -> deque[W] | None:
        suspects = self._suspects and self._active_suspects < self._bounds.suspects
        if self._firsts:
            self._turn += 1
            return self._suspects if suspects and self._turn % 4 == 0 else self._firsts
        return self._suspects if suspects else None

    def _full(self, item: W) -> str | None:
        """Return what has no place left for an item: its channel, for suspects or at all, or its origin."""
        if item.suspect and item.channel_id in self._suspects_of_channel:
            return _suspects_key(item)
        if self._of_channel.get(item.channel_id, 0) >= self._bounds.channel:
            return item.channel_id
        if self._of_origin.get(item.origin, 0) >= self._bounds.origin:
            return item.origin
        return None

    def _begin(self, item: W) -> W:
        self._active += 1
        self._active_suspects += item.suspect
        _more(self._of_channel, item.channel_id)
        if item.suspect:
            _more(self._suspects_of_channel, item.channel_id)
        _more(self._of_origin, item.origin)
        _less(self._waiting_of_channel, item.channel_id)
        self._waiting_suspects -= item.suspect
        return item

    def _park(self, full: str, item: W) -> None:
        self._parked.setdefault(full, deque()).append(item)

    def _unpark(self, key: str) -> None:
        """Line up again the first that waits for a place which has become free, and can use it."""
        parked = self._parked.get(key)
        while parked:
            item = parked.popleft()
            full = self._full(item)
            if full is None:
                (self._suspects if item.suspect else self._firsts).appendleft(item)
                break
            if full == key:
                parked.appendleft(item)
                break
            self._park(full, item)
        if not parked:
            self._parked.pop(key, None)


def _suspects_key(item: Waiting) -> str:
    return f"{_SUSPECTS_OF}{item.channel_id}"


def _more(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _less(counts: dict[str, int], key: str) -> None:
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
