"""An HTTP server that records every request, and answers as well or as badly as a test wants."""

from tests.receiver.answers import (
    Answer,
    Close,
    Connection,
    Drip,
    Endless,
    Hang,
    Raw,
    Reset,
    Respond,
    endless_body,
    redirect,
)
from tests.receiver.request import Request
from tests.receiver.server import Receiver

__all__ = [
    "Answer",
    "Close",
    "Connection",
    "Drip",
    "Endless",
    "Hang",
    "Raw",
    "Receiver",
    "Request",
    "Reset",
    "Respond",
    "endless_body",
    "redirect",
]
