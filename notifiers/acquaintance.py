"""What the delivery engine remembers of hosts, so that those it knows to answer wait for no others."""

from core.egress.exchange import PushAnswer

REMEMBERED = 200_000


class Acquaintance:
    """Which hosts have answered; forgets all when full."""

    def __init__(self) -> None:
        self._met: set[str] = set()

    def has_met(self, origin: str) -> bool:
        """Tell whether a host has answered: then its name resolves, and waits for no name that does not."""
        return origin in self._met

    def note(self, origin: str, answer: PushAnswer) -> None:
        """Remember how a push ended."""
        if answer.status is None:
            self._met.discard(origin)
            return
        if len(self._met) >= REMEMBERED:
            self._met.clear()
        self._met.add(origin)
