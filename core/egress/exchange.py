"""A request that is pushed for a user, and what came of it."""

from dataclasses import dataclass

from core.errors import Reason


@dataclass(slots=True)
class PushRequest:
    """A POST: `url` as `check_url` spells it, `headers` as lines such as `Content-Type: application/json`."""

    url: str
    headers: list[str]
    body: bytes


@dataclass(slots=True)
class PushAnswer:
    """What came back: a status, or the reason why none did.

    `status` and `reason` are both set where an answer began and broke off. `retry_after` is the header's.
    `excerpt` is the beginning of the body as it came (at most 4 KiB), or a note that it is not text; `detail`
    says in people's words, without secrets, what went wrong.
    """

    status: int | None = None
    reason: Reason | None = None
    retry_after: str | None = None
    excerpt: bytes = b""
    detail: str | None = None
