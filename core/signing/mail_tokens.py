"""Tokens in mails: each says for which mail channel it is, and at which address, and cannot be forged."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum

from itsdangerous import BadSignature, Signer
from itsdangerous.signer import SigningAlgorithm

from core.signing.keys import derive_key, split_secret_keys

_SIGNATURE_BYTES = 15
_BOUNCE_SIGNATURE_BYTES = 10  # a local part has at most 64 characters (RFC 5321, section 4.5.3.1.1)
_CHANNEL = "ch_"
_ULID = 26
_HASH = 6
_BOUNCE_TOKEN = re.compile(r"[0-9a-z]{32}[a-z2-7]{16}", re.ASCII)


class MailPurpose(StrEnum):
    """What a link in a mail is for; a token of one purpose is none of another."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    MANAGE = "manage"


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a token is for: a channel, and the beginning of its target's hash when the mail was written."""

    channel_id: str
    target: str

    def is_at(self, target_hash: str) -> bool:
        """Tell whether the channel still has the address that the token was sent to."""
        return target_hash.startswith(self.target)


class _Short(SigningAlgorithm):
    """HMAC-SHA256, cut: a link should fit into a line."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, hashlib.sha256)[:_SIGNATURE_BYTES]


class MailTokens:
    """Makes tokens with the first of `CLARION_SECRET_KEY`'s keys, and reads those made with any of them."""

    def __init__(self, secret_key: str) -> None:
        keys = split_secret_keys(secret_key)
        self._signers = {
            # The newest key comes last, and signs.
            purpose: Signer(
                [derive_key(key, f"mail links: {purpose}") for key in reversed(keys)],
                key_derivation="none",
                algorithm=_Short(),
            )
            for purpose in MailPurpose
        }
        self._bounce_keys = [derive_key(key, "mail bounces") for key in keys]

    def make(self, purpose: MailPurpose, channel_id: str, target_hash: str) -> str:
        """Return a token of 53 characters, all of which may stand in a URL's path."""
        value = channel_id.removeprefix(_CHANNEL) + target_hash[:_HASH]
        return self._signers[purpose].sign(value).decode("ascii")

    def read(self, purpose: MailPurpose, token: str) -> Addressee | None:
        """Return whom a token is for, None for one that was not made here or for this."""
        try:
            return _addressee(self._signers[purpose].unsign(token).decode("ascii"))
        except (BadSignature, UnicodeError):
            return None

    def return_path(self, bounce_address: str, channel_id: str, target_hash: str) -> str:
        """Return the address that bounces of a mail come back to: `bounces+TOKEN@…` for `bounces@…`.

        It is the same in capitals, which servers may make of it.
        """
        local, _, domain = bounce_address.rpartition("@")
        value = (channel_id.removeprefix(_CHANNEL) + target_hash[:_HASH]).lower()
        return f"{local}+{value}{_bounce_signature(self._bounce_keys[0], value)}@{domain}"

    def read_return_path(self, address: str) -> Addressee | None:
        """Return whose mail came back to an address, None for one that was not made here."""
        token = address.rpartition("@")[0].rpartition("+")[2].lower()
        if not _BOUNCE_TOKEN.fullmatch(token):
            return None
        value, given = token[: _ULID + _HASH], token[_ULID + _HASH :]
        if not any(hmac.compare_digest(given, _bounce_signature(key, value)) for key in self._bounce_keys):
            return None
        return _addressee(value)


def _bounce_signature(key: bytes, value: str) -> str:
    digest = hmac.digest(key, value.encode(), hashlib.sha256)[:_BOUNCE_SIGNATURE_BYTES]
    return base64.b32encode(digest).decode("ascii").lower()


def _addressee(value: str) -> Addressee:
    return Addressee(_CHANNEL + value[:_ULID].upper(), value[_ULID:])
