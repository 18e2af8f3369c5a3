"""What a subscription asks: a canonical query, with the filters that are stored beside it."""

import hashlib
import json
from typing import NamedTuple

from core.query.compiled import compiled, limited
from core.query.parser import parse


class Asked(NamedTuple):
    """A canonical query and its filters, as they are stored."""

    canonical: str
    sources: list[str] | None = None
    languages: list[str] | None = None

    @property
    def digest(self) -> bytes:
        """The SHA-256 by which its compiled form is found.

        Of the canonical query and both filters as JSON, a line each, in UTF-8: what PostgreSQL computes too.
        """
        text = f"{self.canonical}\n{_json(self.sources)}\n{_json(self.languages)}"
        return hashlib.sha256(text.encode()).digest()

    def compiled(self) -> bytes:
        """Return its bytes for the matching index; raises QueryError for a query that is none."""
        return compiled(limited(parse(self.canonical), self.sources, self.languages))


def _json(names: list[str] | None) -> str:
    return json.dumps(names, ensure_ascii=False)
