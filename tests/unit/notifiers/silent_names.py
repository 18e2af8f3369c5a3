"""Pushes to hosts whose names nobody answers for, and to one that is known.

Run in a network namespace, as `tests.unit.core.network_namespace` is, it prints what came of them as JSON.
"""

import json
import sys
import tempfile
from pathlib import Path

import pycurl

from core.egress import EgressPolicy, transfers
from tests.unit.core.network_namespace import PORT, SILENT, Everyone, NameServer, set_up
from tests.unit.notifiers.pushes import push_to, running

SILENT_PUSHES = 100


def _without_dns_cache() -> None:
    """Have a name looked up each time, as when a minute has passed."""
    kept = [(option, value) for option, value in transfers._OPTIONS if option != pycurl.DNS_CACHE_TIMEOUT]
    vars(transfers)["_OPTIONS"] = (*kept, (pycurl.DNS_CACHE_TIMEOUT, 0))


def _pushed() -> list[tuple[str, int | None, str | None]]:
    names, _everyone = NameServer(), Everyone()
    names.addresses["news.example"] = ["93.184.216.34"]
    known = f"http://news.example:{PORT}/hook"
    silent = [push_to(f"http://{SILENT}:{9_000 + n}/hook", "silent") for n in range(SILENT_PUSHES)]
    with running(EgressPolicy(), connect_seconds=5.0) as (engine, results):
        engine.submit([push_to(known, "first")])
        results.wait_for(1)
        engine.submit([*silent, push_to(known, "known")])
        found = results.wait_for(SILENT_PUSHES + 2)
    return [(one.push.job, one.answer.status, one.answer.reason) for one in found if one.answer is not None]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        set_up(Path(made))
        _without_dns_cache()
        json.dump(_pushed(), sys.stdout)
        sys.stdout.flush()
