"""`/healthz` and `/readyz`: probes, which need no key."""

from collections.abc import Callable, Mapping

import structlog
from flask import Blueprint
from flask.typing import ResponseReturnValue

from api.problems import Problem
from core.errors import Unavailable

log = structlog.get_logger()

Readiness = Mapping[str, Callable[[], None]]


def probes(readiness: Readiness) -> Blueprint:
    """Return the blueprint of the probes; each check raises Unavailable while its server is away."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        """Answer as long as the process lives."""
        return {"status": "ok"}

    @blueprint.get("/readyz")
    def readyz() -> ResponseReturnValue:
        """Answer 503 while a server that this process needs is away."""
        failing = [name for name, check in readiness.items() if not _passes(name, check)]
        if failing:
            raise Problem(503, f"Not ready: {', '.join(failing)} cannot be reached.")
        return {"status": "ok", "checks": dict.fromkeys(readiness, "ok")}

    return blueprint


def _passes(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Unavailable as error:
        log.warning("not ready", check=name, problem=str(error))
        return False
    return True
