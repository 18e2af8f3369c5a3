"""How the headers of mails are written."""

from email.charset import BASE64, Charset
from email.header import Header
from email.headerregistry import BaseHeader, HeaderRegistry
from email.policy import SMTP, Policy
from typing import Any

LONGEST_LINE = 998  # RFC 5322, section 2.1.1
LONGEST_PLAIN_WORD = 60
LONGEST_SUBJECT_LINE = 75  # without the space before it (RFC 2047, section 2)

# What programs read, not people: a URL that was folded, or written as an encoded word, leads nowhere.
LITERAL_HEADERS = (
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "feedback-id",
    "message-id",
    "auto-submitted",
)


class _Unparsed(BaseHeader):
    """A header whose value is text as it stands, and nothing else.

    The library's own would decode what looks like an encoded word (RFC 2047), line breaks and all, so that
    a title could add headers; and it loses spaces where it folds.
    """

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Take the value as it is."""
        kwds["decoded"], kwds["parse_tree"] = value, None


class _PlainText(_Unparsed):
    """Words for people."""

    def fold(self, *, policy: Policy) -> str:
        """Return the header's lines, none longer than 76 characters."""
        text = str(self)
        longest = max(map(len, text.split()), default=0)
        plain = text.isascii() and "=?" not in text and longest <= LONGEST_PLAIN_WORD
        charset = Charset("us-ascii") if plain else _utf_8()
        folded = Header(text, charset, maxlinelen=LONGEST_SUBJECT_LINE, header_name=self.name)
        return f"{self.name}: {folded.encode(linesep=policy.linesep)}{policy.linesep}"


class _Literal(_Unparsed):
    """What programs read: one line, whatever its length."""

    def fold(self, *, policy: Policy) -> str:
        """Return the header's line; raises ValueError for what is no line that servers take."""
        line = f"{self.name}: {self}"
        if len(line) > LONGEST_LINE or not (line.isascii() and line.isprintable()):
            raise ValueError(f"{self.name} does not fit into a line of printable ASCII")
        return line + policy.linesep


def _utf_8() -> Charset:
    charset = Charset("utf-8")
    charset.header_encoding = BASE64  # where it may choose, it makes words longer than 75 characters
    return charset


def _registry() -> HeaderRegistry:
    registry = HeaderRegistry()
    registry.map_to_type("subject", _PlainText)
    for name in LITERAL_HEADERS:
        registry.map_to_type(name, _Literal)
    return registry


# Servers need not take 8 bits (RFC 6152), and nothing would be gained by them.
MAIL_POLICY = SMTP.clone(header_factory=_registry(), max_line_length=LONGEST_LINE, cte_type="7bit")
