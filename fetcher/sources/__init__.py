"""One module per kind of source."""

import sys
from functools import cache

from core.registry import discover
from fetcher.sources.base import SourceKind


@cache
def source_kinds() -> dict[str, SourceKind]:
    """Return every kind of source by name; raises ConfigurationError naming a module that is none."""
    return discover(sys.modules[__name__], "KIND")
