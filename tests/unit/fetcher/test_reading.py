"""What is kept of an answer's headers."""

import pytest

from fetcher.reading import LONGEST_VALIDATOR, _validators
from fetcher.sources.base import Document


@pytest.mark.parametrize(
    "value",
    ['"abc"', 'W/"abc"', "Sun, 01 Mar 2026 11:00:00 GMT", '"\u00e4\u00f6"', "x" * LONGEST_VALIDATOR],
)
def test_validators_are_kept_as_they_came(value: str) -> None:
    assert read_validators(etag=value, last_modified=value) == (value, value)


@pytest.mark.parametrize(
    "value", [None, "", "a\0b", "a\r\n b", "a\tb", " a", "a ", "a\x85b", "x" * (LONGEST_VALIDATOR + 1)]
)
def test_what_could_not_be_sent_back_is_not_kept(value: str | None) -> None:
    assert read_validators(etag=value, last_modified=value) == (None, None)


def read_validators(etag: str | None, last_modified: str | None) -> tuple[str | None, str | None]:
    named = {"etag": etag, "last-modified": last_modified}
    headers = {name: value for name, value in named.items() if value is not None}
    return _validators(Document("https://example.com/", 200, headers, b""))
