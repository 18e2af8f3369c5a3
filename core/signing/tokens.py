"""Short signed tokens for links: confirming an address, ending a subscription."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from itsdangerous import BadData, URLSafeSerializer

from core.errors import ClarionError
from core.signing.keys import derive_key, split_secret_keys

Payload = str | list[str]
_PURPOSE = "signed tokens"


class InvalidToken(ClarionError):
    """A token that was altered, cut, made for another purpose, or signed with a key no longer known."""


class ExpiredToken(InvalidToken):
    """A token that was valid, but is too old."""


class SignedTokens:
    """Makes and reads tokens; what they say can be read by anyone, but not changed.

    The first secret key signs and each of them verifies. A token is good only for the purpose it was made
    for.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        # itsdangerous signs with the last.
        self._keys = [derive_key(key, _PURPOSE) for key in reversed(secret_keys)]

    @classmethod
    def from_setting(cls, text: str) -> Self:
        """Read `CLARION_SECRET_KEY`. Raises ConfigurationError."""
        return cls(split_secret_keys(text))

    def make(self, payload: Payload, purpose: str, *, now: datetime) -> str:
        """Return a token of characters that need no escaping in URLs; it holds `now`, in whole seconds."""
        return str(self._serializer(purpose).dumps([int(now.timestamp()), payload]))

    def read(self, token: str, purpose: str, *, now: datetime, max_age: timedelta | None = None) -> Payload:
        """Return the payload. Raises ExpiredToken when made longer than `max_age` ago, else InvalidToken."""
        try:
            made, payload = self._serializer(purpose).loads(token)
        except (BadData, UnicodeError):
            raise InvalidToken("this link is not valid, or it was cut on the way") from None
        if max_age is not None and now - datetime.fromtimestamp(made, UTC) > max_age:
            raise ExpiredToken("this link is too old: ask for a new one")
        result: Payload = payload
        return result

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        # The 48 bytes of SHA-384 fill base64 exactly, so that a signature has one spelling only.
        options = {"digest_method": hashlib.sha384, "key_derivation": "hmac"}
        return URLSafeSerializer(self._keys, salt=f"clarion.{purpose}", signer_kwargs=options)
