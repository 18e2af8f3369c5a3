"""Making a transfer and pushing with it."""

from pathlib import Path
from typing import Protocol

from core.egress import EgressPolicy, PushAnswer, PushRequest, Transfer
from tests.receiver import Answer, Receiver
from tests.unit.core.loopback_servers import LOOPBACK_OPEN

HEADERS = ["Content-Type: application/json", "webhook-id: dlv_1"]


class TransferMaker(Protocol):
    """Makes transfers that are closed when the test ends; `resolve` is as for CURLOPT_RESOLVE."""

    def __call__(
        self,
        policy: EgressPolicy = LOOPBACK_OPEN,
        *,
        seconds: float = 15,
        connect_seconds: float = 5,
        ca_file: Path | None = None,
        resolve: tuple[str, ...] = (),
    ) -> Transfer: ...


def push(url: str, body: bytes = b"{}") -> PushRequest:
    """Return a POST."""
    return PushRequest(url, HEADERS, body)


def answered(transfer: Transfer, receiver: Receiver, answer: Answer) -> PushAnswer:
    """Return what a transfer makes of an answer."""
    return transfer.perform(push(receiver.script("/hook", answer)))
