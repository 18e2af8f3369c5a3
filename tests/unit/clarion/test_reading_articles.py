"""The files that `clarion publish` takes."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from clarion.commands.publishing import read_articles
from core.errors import ClarionError

ONE, TWO = {"id": "1", "title": "é"}, {"id": "2"}


@pytest.mark.parametrize(
    ("text", "articles"),
    [
        ('{"id": "1", "title": "é"}', [ONE]),
        ('\n{\n "id": "1",\n "title": "\\u00e9"\n}\n', [ONE]),
        ('[{"id": "1", "title": "é"}, {"id": "2"}]', [ONE, TWO]),
        ('{"id": "1", "title": "é"}\n{"id": "2"}\n', [ONE, TWO]),
        ('{"id": "1", "title": "é"}\r\n\r\n  {"id": "2"}', [ONE, TWO]),
        ('\ufeff{"id": "1", "title": "é"}', [ONE]),
        ("[]", []),
        ("", []),
        ("\n\n", []),
    ],
)
def test_forms_of_a_file(tmp_path: Path, text: str, articles: list[Any]) -> None:
    file = tmp_path / "articles"
    file.write_bytes(text.encode())
    assert read_articles(file) == articles


def test_a_line_separator_within_a_text_ends_no_line(tmp_path: Path) -> None:
    file = tmp_path / "articles"
    file.write_text('{"id": "1", "title": "a\u2028b"}\n{"id": "2"}\n', encoding="utf-8")
    assert read_articles(file) == [{"id": "1", "title": "a\u2028b"}, TWO]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"id": "2"}\n'))
    assert read_articles(Path("-")) == [TWO]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"id": "1"}\n{"id": \n', "line 2: not JSON"),
        (b"not json", "line 1: not JSON"),
        (b"[" * 100_000, "line 1: not JSON"),
        (b"\xff\xfe\x00", "cannot read"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "articles"
    file.write_bytes(content)
    with pytest.raises(ClarionError, match=re.escape(words)):
        read_articles(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ClarionError, match="cannot read"):
            read_articles(path)
