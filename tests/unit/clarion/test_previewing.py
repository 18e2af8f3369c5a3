"""`clarion preview`, against an API whose answers are known."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clarion.cli import commands
from clarion.commands.previewing import AFTER, BEFORE, article_lines, excerpt_of, rate, summary_line
from clarion.data_folder import Address, DataFolder
from tests.receiver import Receiver, Respond


def stretches(text: str) -> list[dict[str, Any]]:
    """Return a text in stretches; what matches stands in brackets."""
    parts = text.replace("]", "[").split("[")
    return [{"text": part, "match": bool(number % 2)} for number, part in enumerate(parts) if part]


def article(title: str, summary: str = "", source: str | None = "Blog", **why: Any) -> dict[str, Any]:
    return {
        "first_seen_at": "2026-11-23T14:20:46.339Z",
        "source": {"id": "src_1", "name": source} if source else None,
        "why": {"terms": ["rust"], "title": stretches(title), "summary": stretches(summary)} | why,
    }


FOUND = {
    "query": "rust",
    "looked_at": 2000,
    "matched": 12,
    "per_day": 14.2,
    "data": [article("[Rust] ships", "In [Rust] we trust")],
}


@pytest.fixture
def folder(receiver: Receiver, tmp_path: Path) -> Path:
    """A data folder of a Clarion that the receiver stands for."""
    DataFolder(tmp_path).write_address(Address(receiver.url, "clk_1"))
    return tmp_path


def run(receiver: Receiver, folder: Path, *arguments: str, status: int = 200, answer: Any = FOUND) -> Result:
    body = json.dumps(answer).encode()
    receiver.script(
        "/v1/subscriptions/preview", Respond(status, body, (("Content-Type", "application/json"),))
    )
    return CliRunner().invoke(commands, ["preview", *arguments, "--data", str(folder)])


def test_what_matched_and_where(receiver: Receiver, folder: Path) -> None:
    done = run(receiver, folder, "rust")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "12 of 2,000 articles, about 14 a day; the newest 1:",
        "",
        "2026-11-23 14:20  *Rust* ships  (Blog)",
        "    In *Rust* we trust",
    ]
    [request] = receiver.requests
    assert request.json() == {"query": "rust", "sources": [], "languages": [], "limit": 20}


def test_options_are_passed_on_and_json_is_the_answer(receiver: Receiver, folder: Path) -> None:
    options = ("--source", "bbc", "--source", "The Verge", "--language", "en", "--limit", "5", "--json")
    done = run(receiver, folder, "rust", *options)
    assert json.loads(done.output) == FOUND
    [request] = receiver.requests
    assert request.json() == {
        "query": "rust",
        "sources": ["bbc", "The Verge"],
        "languages": ["en"],
        "limit": 5,
    }


def test_a_query_that_cannot_be_read_is_said_in_the_apis_words(receiver: Receiver, folder: Path) -> None:
    problem = {"title": "x", "errors": [{"field": "query", "message": "expected a word at position 0"}]}
    done = run(receiver, folder, "(", status=422, answer=problem)
    assert done.exit_code == 1
    assert str(done.exception) == "query: expected a word at position 0"


def test_matches_are_bold_on_a_terminal() -> None:
    lines = list(article_lines(article("[Rust] ships", source=None), is_terminal=True))
    assert lines == ["\n2026-11-23 14:20  \x1b[1mRust\x1b[0m ships"]


def test_where_no_word_is_marked_the_terms_are_told() -> None:
    found = article("Zig", "a summary", terms=["category:ai", "lang:en"])
    _, reason = article_lines(found, is_terminal=False)
    assert reason == "    category:ai lang:en"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"matched": 1}, "1 of 2,000 articles, about 14 a day"),
        ({"matched": 1, "per_day": None}, "1 of 2,000 articles"),
        ({"matched": 0, "per_day": 0.0, "data": []}, "0 of 2,000 articles"),
        ({"matched": 1, "looked_at": 1, "per_day": None}, "1 of 1 article"),
    ],
)
def test_the_summary_line(change: dict[str, Any], line: str) -> None:
    assert summary_line(FOUND | change) == line


@pytest.mark.parametrize(
    ("per_day", "words"),
    [
        (1234.5, "1,234 a day"),
        (14.2, "14 a day"),
        (2.96, "3 a day"),
        (1.5, "1.5 a day"),
        (1, "1 a day"),
        (0.5, "4 a week"),
        (0.1, "3 a month"),
        (0.01, "less than one a month"),
    ],
)
def test_a_rate_is_told_in_words(per_day: float, words: str) -> None:
    assert rate(per_day) == words


def test_of_a_long_summary_only_what_stands_around_the_first_match_is_shown() -> None:
    words = "word " * 100
    shown = "".join(
        f"[{one['text']}]" if one["match"] else one["text"]
        for one in excerpt_of(stretches(f"{words}[rust] and [more rust] {words}"))
    )
    before, _, after = shown.partition("[rust]")
    assert before.startswith("…word ")
    assert len(before) <= BEFORE + 1
    assert after.startswith(" and [more rust] word ")
    assert after.endswith("word…")
    assert len(shown) <= BEFORE + AFTER + 6


@pytest.mark.parametrize(
    ("summary", "excerpt"),
    [
        ("", ""),
        ("nothing here", ""),
        ("[a]", "[a]"),
        ("so [a] is", "so [a] is"),
        ("x" * 60 + "[a]", "…" + "x" * 40 + "[a]"),
    ],
)
def test_excerpts(summary: str, excerpt: str) -> None:
    shown = excerpt_of(stretches(summary))
    assert "".join(f"[{one['text']}]" if one["match"] else one["text"] for one in shown) == excerpt
