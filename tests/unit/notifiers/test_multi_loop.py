"""Driving libcurl: what has ended is known at once."""

import os
import select
from collections.abc import Iterator
from typing import Any

import pycurl
import pytest

from notifiers.multi_loop import Done, MultiLoop
from tests.receiver import Receiver

LONG = 30.0


@pytest.fixture
def wake_up() -> Iterator[int]:
    descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    yield descriptor
    os.close(descriptor)


def test_a_transfer_that_has_ended_does_not_wait_out_the_next_pause(
    receiver: Receiver, wake_up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle: list[float] = []
    real = select.select

    def watched(readable: list[int], writable: list[int], broken: list[int], pause: float) -> Any:
        if readable == [wake_up] and not writable and pause:
            idle.append(pause)  # nothing could end this wait in time
            pause = 0.0
        return real(readable, writable, broken, pause)

    monkeypatch.setattr("notifiers.multi_loop.select.select", watched)
    loop, curl = MultiLoop(wake_up), pycurl.Curl()
    curl.setopt(pycurl.URL, receiver.url)
    curl.setopt(pycurl.POSTFIELDS, b"{}")
    curl.setopt(pycurl.WRITEFUNCTION, len)
    loop.add(curl, known=True)
    ended: list[Done] = []
    while not ended:
        loop.turn(LONG)
        ended = loop.done()
    loop.remove(curl, known=True)

    assert ended == [(curl, None, "")]
    assert idle == []
