"""Hearing that subscriptions changed: when to look, and announcements inside one process."""

import threading
from collections.abc import Callable

LOOK_SECONDS = 2.0
STOP_CHECK_SECONDS = 0.2


class Bell:
    """Wakes the thread that looks; rung again before it looks, it wakes it once."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Have it look soon; returns at once."""
        self._rung.set()

    def run(self, look: Callable[[], None], stop: threading.Event) -> None:
        """Call `look` at first, when rung, and every 2 seconds, until `stop` is set."""
        while not stop.is_set():
            self._rung.clear()
            look()
            self._wait(stop)

    def _wait(self, stop: threading.Event) -> None:
        for _ in range(round(LOOK_SECONDS / STOP_CHECK_SECONDS)):
            if self._rung.wait(STOP_CHECK_SECONDS) or stop.is_set():
                return


class EmbeddedAnnouncements:
    """Announcer and listener in one."""

    def __init__(self) -> None:
        self._bells: list[Bell] = []

    def announce(self) -> None:
        """Wake every listener."""
        for bell in tuple(self._bells):
            bell.ring()

    def run(self, look: Callable[[], None], stop: threading.Event) -> None:
        """Call `look` at first, after announcements, and every 2 seconds, until `stop` is set."""
        bell = Bell()
        self._bells.append(bell)
        try:
            bell.run(look, stop)
        finally:
            self._bells.remove(bell)

    def close(self) -> None:
        """Do nothing: it holds nothing."""
