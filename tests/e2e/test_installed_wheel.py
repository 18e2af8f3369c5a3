"""The wheel, installed where nothing of the source tree can be seen."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What a build must not see: what is no part of it, and what an earlier one has left behind.
LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist", "tests", "bench")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment into which the wheel was installed, with dependencies from this one."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, place / "source", ignore=LEFT_OUT)
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(place), str(place / "source")], place)
    shutil.rmtree(place / "source")
    run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")], place)
    python = place / "venv" / "bin" / "python"
    (wheel,) = place.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    run([*pip, str(wheel)], place)
    (own,) = (place / "venv" / "lib").glob("python*/site-packages")
    # That folder is not searched for .pth files in turn, and so not for one that leads to the source tree.
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def run(command: list[str], directory: Path) -> str:
    """Run a command that must succeed; return what it printed."""
    hidden = ("CLARION_", "PYTHON")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(
        command, cwd=directory, env=env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_room_comes_from_the_wheel(folder: Path, tmp_path: Path) -> None:
    rooms = ("clarion", "api", "fetcher", "router", "notifiers", "core", "templates")
    program = (
        f"import {', '.join(rooms)}; print(*(room.__file__ for room in ({', '.join(rooms)})), sep='\\n')"
    )
    files = run([str(folder / "python"), "-c", program], tmp_path).splitlines()
    assert [file for file in files if not file.startswith(str(folder.parent))] == []
    assert len(files) == len(rooms)


def test_the_demonstration_runs_from_any_folder(folder: Path, tmp_path: Path) -> None:
    printed = run([str(folder / "clarion"), "demo", "--once"], tmp_path)
    assert "All 6 expected articles arrived." in printed


def test_migrations_came_along(folder: Path, tmp_path: Path) -> None:
    run([str(folder / "clarion"), "migrate", "--data", str(tmp_path)], tmp_path)
    assert "already" in run([str(folder / "clarion"), "migrate", "--data", str(tmp_path)], tmp_path)
