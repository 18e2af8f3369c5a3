"""Child processes of a test run: waited for, ended, and never left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ClarionProcess, free_port
from tests.servers.process import wait_until

PROGRAM = """
import http.server, os, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(os.environ["ENDS_WITH"])))
child = subprocess.Popen(["sleep", "600"])
print("child", child.pid, "port", sys.argv[1], "secret", os.environ.get("CLARION_SECRET_KEY"))
print("to stderr", file=sys.stderr)
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def _process(folder: Path, port: int, ends_with: int = 0) -> ClarionProcess:
    (folder / "program.py").write_text(PROGRAM)
    env = {"PYTHONPATH": str(folder), "ENDS_WITH": str(ends_with)}
    return ClarionProcess([str(port)], env, module="program")


def _gone(pid: int) -> bool:
    # What has lost its parent may stay a zombie where nothing adopts it.
    status = Path("/proc", str(pid), "stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_it_is_waited_for_and_ends_with_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_SECRET_KEY", "of the person who runs the tests")
    port = free_port()
    with _process(tmp_path, port, ends_with=3) as process:
        child = int(process.wait_for_line(r"^child (\d+) port \d+ secret None$")[1])
        process.wait_for_line("to stderr")
        process.wait_for_port(port)
        assert process.wait_for_url(f"http://127.0.0.1:{port}/").ok
        process.terminate(expect=3)
        assert not process.running
        process.start()
        process.wait_for_url(f"http://127.0.0.1:{port}/")
        assert process.output.count("child") == 2
    assert wait_until(lambda: _gone(child), 5)


def test_a_failed_wait_shows_what_was_written(tmp_path: Path) -> None:
    with _process(tmp_path, free_port()) as process:
        process.wait_for_line("child")
        with pytest.raises(AssertionError, match=r"did not write 'never'(?s:.*)to stderr"):
            process.wait_for_line("never", timeout=0.1)
        process.kill()
        with pytest.raises(AssertionError, match="ended with -9 instead of 0"):
            process.wait()
        with pytest.raises(AssertionError, match="did not listen"):
            process.wait_for_port(free_port())


def test_it_can_be_frozen_for_a_while(tmp_path: Path) -> None:
    with _process(tmp_path, free_port()) as process:
        process.wait_for_line("child")
        status = Path("/proc", str(process.pid), "stat")
        process.pause()
        assert wait_until(lambda: status.read_text().rpartition(")")[2].split()[0] == "T", 5)
        process.resume()
        process.terminate()


def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    run = """
import sys, time
from pathlib import Path
from tests.unit.test_servers_process import _process
process = _process(Path(sys.argv[1]), int(sys.argv[2]))
process.start()
print(process.wait_for_line(r"child (\\d+)")[1], process.pid, process.directory, flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", run, str(tmp_path), str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as owner:
        assert owner.stdout
        child, pid, directory = owner.stdout.readline().split()
        os.kill(owner.pid, signal.SIGKILL)
    assert wait_until(lambda: _gone(int(child)) and _gone(int(pid)), 10)
    assert wait_until(lambda: not Path(directory).exists(), 10)
