"""Who calls: bearer keys (RFC 6750)."""

from typing import cast

from flask import g, request

from api.problems import Problem
from api.services import services
from core.store.accounts import Caller, caller_of
from core.text import storable


def authenticate() -> None:
    """Find the caller before a request is handled; raises Problem 401."""
    scheme, _, key = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        detail = "A key is required: Authorization: Bearer KEY."
        raise Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})
    with services().store.read() as session:
        found = caller_of(session, storable(key.strip()), services().clock.now())
    if found is None:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Problem(401, "This key is not known, has expired or was revoked.", headers=challenge)
    g.caller = found


def caller() -> Caller:
    """Return who makes the present request."""
    return cast(Caller, g.caller)


def require_administrator() -> Caller:
    """Return the caller; raises Problem 403 for anyone but an administrator."""
    found = caller()
    if not found.administrator:
        raise Problem(403, "Only an administrator's key may do this.")
    return found


def owner_of_new() -> str | None:
    """Return who owns what the caller makes: the installation (None) where it is an administrator."""
    return None if caller().administrator else caller().account_id
