"""Getting a source's document: one GET with its redirects, under one deadline."""

import time
from collections.abc import Callable

import requests

from core.egress import Blocked, GuardedSession, TooLarge, classify, get_following_redirects, read_capped
from core.errors import Reason
from fetcher.sources.base import Document, Fetched, FetchRequest, NotModified, SourceError

DEADLINE_SECONDS = 30.0
BODY_LIMIT = 15_000_000  # after decompression
CONNECT_SECONDS = 10.0

_WORDS = {
    Reason.DNS: "The server's name does not resolve",
    Reason.REFUSED: "The server refuses connections",
    Reason.RESET: "The server broke the connection off",
    Reason.TLS: "The server's certificate is not valid, or it does not speak TLS",
    Reason.TIMEOUT: "The server did not answer in time",
    Reason.BLOCKED: "This address may not be fetched",
    Reason.STATUS_3XX: "The server redirects without end",
    Reason.TOO_LARGE: "The document is larger than 15 MB",
}


def fetch(
    session: GuardedSession,
    request: FetchRequest,
    seconds: float | None = None,
    *,
    before_hop: Callable[[str], None] = lambda _url: None,
) -> Fetched:
    """GET a document within some seconds, 30 if not said.

    `before_hop` is called with where a redirect leads, before that is asked. Raises
    SourceError in words for the source's owner, and what `before_hop` raises.
    """
    deadline = time.monotonic() + (DEADLINE_SECONDS if seconds is None else seconds)
    try:
        arrival = get_following_redirects(
            session,
            request.url,
            deadline=deadline,
            headers={**request.headers, **request.credentials},
            timeout=(CONNECT_SECONDS, DEADLINE_SECONDS),
            before_hop=before_hop,
        )
        with arrival.response as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if response.status_code == requests.codes.not_modified:
                return NotModified(response.url, headers, arrival.permanent_url)
            body = read_capped(response, BODY_LIMIT, deadline)
    except (requests.RequestException, Blocked, TooLarge, OSError) as error:
        reason = classify(error)
        raise SourceError(reason, _WORDS.get(reason, "The server's answer is not valid HTTP")) from error
    return Document(response.url, response.status_code, headers, body, arrival.permanent_url)
