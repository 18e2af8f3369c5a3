"""`clarion demo`, as somebody who has just installed it runs it."""

from pathlib import Path

import pytest

from tests.e2e.commands import clarion
from tests.servers import ClarionProcess

ARRIVALS = {
    "webhook platform-team Kubernetes 1.40 makes rollouts calmer",
    "webhook platform-team PostgreSQL learns to skip scans",
    "webhook platform-team What a message queue is for",
    "webhook python-fans A rewrite in Rust that was not worth it",
    "webhook python-fans Python 3.15 starts twice as fast",
    "mail reader@example.com Machine learning on a coin cell",
}


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def arrivals(output: str) -> list[str]:
    """Return what was printed of each arrival."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    return sorted(line for line in lines if line.startswith(("webhook ", "mail ")))


def test_everything_arrives_once_and_nothing_is_left_behind(temporary: Path) -> None:
    for _run in range(2):
        done = clarion("demo", "--once", env={"TMPDIR": str(temporary)}, cwd=temporary.parent)
        assert (done.code, done.errors) == (0, ""), done
        assert arrivals(done.output) == sorted(ARRIVALS)
        assert "All 6 expected articles arrived." in done.output
        assert list(temporary.iterdir()) == []
    assert list(temporary.parent.iterdir()) == [temporary]


@pytest.mark.parametrize("when", ["^Subscribed webhook", "The API is up at"])
def test_it_ends_in_good_order_whenever_it_is_told_to(temporary: Path, when: str) -> None:
    with ClarionProcess(["demo", "--port", "0"], {"TMPDIR": str(temporary)}) as demo:
        demo.wait_for_line(when, timeout=60)
        demo.terminate()
        assert demo.errors == ""
        assert ("Everything has arrived" in demo.output) == (len(arrivals(demo.output)) == len(ARRIVALS))
        assert list(temporary.iterdir()) == []
