"""What the guard refuses, in words that people can be shown."""

from core.errors import ClarionError


class Blocked(ClarionError):
    """The guard does not let a request out; the message says why."""


class BlockedUrl(Blocked):
    """A URL that is not called, as one can tell from its text or from what its name resolves to."""


class BlockedAddress(Blocked):
    """A host all of whose addresses are closed at the moment of connecting."""


class TooLarge(ClarionError):
    """An answer is longer than its reader bears."""
