"""Lists a page at a time, newest first; a cursor says where the next page begins."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field

from api.inputs import Parameters
from core.store.listings import Page

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200
_ID = re.compile(r"[A-Za-z0-9_]{1,64}")

Row = TypeVar("Row")


def encode_cursor(before: str) -> str:
    """Return the cursor for what is older than a row."""
    return base64.urlsafe_b64encode(json.dumps({"before": before}).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Return the id that a cursor holds; raises ValueError for what this API did not make."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        before = value["before"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("not a cursor of this list") from None
    if not isinstance(before, str) or not _ID.fullmatch(before):
        raise ValueError("not a cursor of this list")
    return before


class PageParameters(Parameters):
    """What every list takes; after validation `cursor` is the id to go on from."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(max_length=400), AfterValidator(decode_cursor)] | None = None


def page_json(page: Page[Row], view: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    """Return a page as lists are answered."""
    cursor = encode_cursor(page.next_before) if page.next_before else None
    return {"data": [view(row) for row in page.rows], "next_cursor": cursor}
