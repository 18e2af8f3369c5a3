"""How the headers of mails are written."""

from email.charset import BASE64, Charset
from email.header import Header
from email.headerregistry import BaseHeader, HeaderRegistry
from email.policy import SMTP, Policy
from typing import Any

LONGEST_PLAIN_WORD = 60
LONGEST_LINE = 75  # without the space before it (RFC 2047, section 2)


class _PlainText(BaseHeader):
    """A header whose value is text as it stands, and nothing else.

    The library's own would decode what looks like an encoded word (RFC 2047), line breaks and all, so that
    a title could add headers; and it loses spaces where it folds.
    """

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Take the value as it is."""
        kwds["decoded"], kwds["parse_tree"] = value, None

    def fold(self, *, policy: Policy) -> str:
        """Return the header's lines, none longer than 76 characters."""
        text = str(self)
        longest = max(map(len, text.split()), default=0)
        plain = text.isascii() and "=?" not in text and longest <= LONGEST_PLAIN_WORD
        charset = Charset("us-ascii") if plain else _utf_8()
        folded = Header(text, charset, maxlinelen=LONGEST_LINE, header_name=self.name)
        return f"{self.name}: {folded.encode(linesep=policy.linesep)}{policy.linesep}"


def _utf_8() -> Charset:
    charset = Charset("utf-8")
    charset.header_encoding = BASE64  # where it may choose, it makes words longer than 75 characters
    return charset


def _registry() -> HeaderRegistry:
    registry = HeaderRegistry()
    registry.map_to_type("subject", _PlainText)
    return registry


MAIL_POLICY = SMTP.clone(header_factory=_registry())
