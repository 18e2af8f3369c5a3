"""Showing URLs where their secrets must not be seen."""

MASK = "…"
_TOKEN_LENGTH = 16


def masked_url(url: str) -> str:
    """Return `url` without what may be a secret: the values of its query, and tokens in its path.

    A token is a path segment of 16 characters or more that is no plain word: it has digits, or letters of
    both cases. Never raises, whatever `url` is.
    """
    head, mark, query = url.partition("#")[0].partition("?")
    scheme, slashes, rest = head.partition("://")
    host, *segments = rest.split("/")
    path = [MASK if _is_token(segment) else segment for segment in segments]
    return scheme + slashes + "/".join([host, *path]) + mark + "&".join(map(_masked_pair, query.split("&")))


def _masked_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return MASK if name else ""
    return f"{name}={MASK}" if value else pair


def _is_token(segment: str) -> bool:
    mixed = segment != segment.lower() and segment != segment.upper()
    return len(segment) >= _TOKEN_LENGTH and (mixed or any(map(str.isdigit, segment)))
