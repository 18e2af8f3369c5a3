"""Keeping a distance between requests to one host."""

import threading
from urllib.parse import urlsplit


class HostSpacing:
    """Hands out the times at which a host may be asked; all times are monotonic seconds."""

    def __init__(self, spacing_seconds: float) -> None:
        self._spacing = spacing_seconds
        self._next_free: dict[str, float] = {}
        self._slots: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_before(self, source_id: str, url: str, now: float) -> float:
        """Return the seconds until a source may be polled, 0 for at once; its slot is kept until then."""
        host = urlsplit(url).hostname or ""
        with self._lock:
            slot = self._slots.pop(source_id, None)
            if slot is None:
                slot = max(now, self._next_free.get(host, now))
                self._next_free[host] = slot + self._spacing
            if host in self._asked:  # perhaps only just now, by one who came late for its slot
                slot = max(slot, self._asked[host] + self._spacing)
            if slot <= now:
                self._asked[host] = now
                return 0.0
            self._slots[source_id] = slot
            return slot - now
