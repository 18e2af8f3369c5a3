"""What of URLs is secret, and how it is kept out of what people read."""

from hypothesis import given
from hypothesis import strategies as st

from notifiers.chat import url_secrets
from notifiers.chat_text import redacted


def test_tokens_of_paths_and_queries_are_secret_words_are_not() -> None:
    url = (
        "https://hooks.example.com/services/T00000001/abcDEFGH?api-version=2016-06-01&sig=a%2Fbcdefghijk&x=1"
    )
    assert set(url_secrets(url)) == {"T00000001", "abcDEFGH", "2016-06-01", "a%2Fbcdefghijk", "a/bcdefghijk"}


def test_the_longest_goes_first_so_that_no_part_of_it_is_left() -> None:
    secrets = url_secrets("https://example.com/abcd1234/abcd12345678")
    assert redacted("see abcd12345678 and abcd1234", secrets) == "see … and …"


@given(st.text(max_size=50), st.text("abcdefgh0123456789", min_size=8, max_size=40), st.text(max_size=50))
def test_no_secret_is_left(before: str, secret: str, after: str) -> None:
    assert secret not in redacted(before + secret + after, (secret,))


@given(st.text("xyz ", max_size=30), st.integers(6, 15))
def test_the_beginning_of_one_is_no_secret_told(before: str, kept: int) -> None:
    assert redacted(before + "abcdefgh01234567"[:kept], ("abcdefgh01234567",)) == f"{before}…"
