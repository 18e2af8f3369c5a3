"""What the delivery engine remembers of hosts."""

import pytest

from core.egress.exchange import PushAnswer
from core.errors import Reason
from notifiers import acquaintance
from notifiers.acquaintance import Acquaintance

ORIGIN = "https://example.com"


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        (PushAnswer(200), True),
        (PushAnswer(301), True),
        (PushAnswer(429, retry_after="5"), True),
        (PushAnswer(500), True),
        (PushAnswer(200, Reason.RESET), True),
        (PushAnswer(reason=Reason.DNS), False),
        (PushAnswer(reason=Reason.TIMEOUT), False),
    ],
)
def test_the_last_answer_counts(answer: PushAnswer, met: bool) -> None:
    for before in (PushAnswer(200), PushAnswer(reason=Reason.REFUSED)):
        known = Acquaintance()
        known.note(ORIGIN, before)
        known.note(ORIGIN, answer)
        assert known.has_met(ORIGIN) == met


def test_strangers_are_not_met() -> None:
    assert not Acquaintance().has_met(ORIGIN)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquaintance, "REMEMBERED", 10)
    known = Acquaintance()
    for number in range(25):
        known.note(f"https://{number}.example", PushAnswer(200))
    remembered = [number for number in range(25) if known.has_met(f"https://{number}.example")]
    assert len(remembered) <= 10
    assert remembered[-1] == 24
