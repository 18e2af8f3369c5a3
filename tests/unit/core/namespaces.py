"""Running a script in a network namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.availability import in_ci

_NAMESPACE = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--net", "--mount"]


def found_in_namespace(module: str) -> Any:
    """Return what a module prints there as JSON; skips the test where no namespace can be made."""
    words = _prevents()
    if words is not None:
        words = f"no network namespace can be made here: {words}"
        pytest.fail(words) if in_ci() else pytest.skip(words)
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [*_NAMESPACE, sys.executable, "-m", module],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def _prevents() -> str | None:
    for program in ("unshare", "ip", "mount"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    tried = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else None
