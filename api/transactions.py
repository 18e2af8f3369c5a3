"""Writing where two requests may want the same."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.problems import conflict
from core.store.engine import Store

ATTEMPTS = 3

Result = TypeVar("Result")


def write_settled(store: Store, operation: Callable[[Session], Result]) -> Result:
    """Run `operation` in a transaction, and again where another one made or removed the same meanwhile.

    Raises Problem 409 when that does not settle it.
    """
    for _ in range(ATTEMPTS):
        try:
            with store.write() as session:
                result = operation(session)
                session.flush()
            return result
        except IntegrityError:
            continue
    raise conflict("This collides with something that exists already, or was made at the same time.")
