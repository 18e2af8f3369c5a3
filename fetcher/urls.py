"""Addresses as sources and people write them: resolving them, and refusing useless ones."""

import re
from urllib.parse import urljoin

from core.text import URL_LIMIT, web_url
from core.urls import canonical_url, host_of, split_address

__all__ = ["canonical_url", "check_web_address", "host_of", "resolve"]

_LINE_BREAKS = re.compile(r"[\t\r\n]+")


def resolve(base: str, link: object) -> str | None:
    """Return `link`, as seen from `base`, as an http or https address, or None if it is none."""
    if not isinstance(link, str) or not link.strip() or len(link) > URL_LIMIT:
        return None
    try:
        joined = urljoin(base, _LINE_BREAKS.sub("", link.strip()).replace(" ", "%20"))
    except ValueError:
        return None
    return web_url(joined) if split_address(joined) else None


def check_web_address(url: str) -> None:
    """Raise ValueError, in words for people, if no GET can be made to `url`."""
    scheme = url.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        raise ValueError("the address must start with http:// or https://")
    parts = split_address(url)
    if parts is None:
        raise ValueError(f"not a web address that can be used (at most {URL_LIMIT} characters, no spaces)")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address must not contain a user name or password")
