"""`clarion aliases`, against an API whose answers are known."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clarion.cli import commands
from clarion.commands.aliases import AT_ONCE, read_lines
from clarion.data_folder import Address, DataFolder
from tests.receiver import Receiver, Respond

ALIAS = {"name": "k8s", "meaning": "Kubernetes", "created_at": "…", "updated_at": "2026-11-23T08:00:00Z"}


def answers(receiver: Receiver, path: str, value: Any, status: int = 200) -> None:
    body = json.dumps(value).encode()
    receiver.script(path, Respond(status, body, (("Content-Type", "application/json"),)))


@pytest.fixture
def folder(receiver: Receiver, tmp_path: Path) -> Path:
    """A data folder of a Clarion that the receiver stands for."""
    DataFolder(tmp_path).write_address(Address(receiver.url, "clk_1"))
    return tmp_path


def run(folder: Path, *arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(commands, ["aliases", *arguments, "--data", str(folder)], input=text)


def test_they_are_listed_by_name(receiver: Receiver, folder: Path) -> None:
    ml = ALIAS | {"name": "ML", "meaning": "machine learning"}
    answers(receiver, "/v1/aliases", {"data": [ml, ALIAS], "next_cursor": None})
    done = run(folder, "list")
    assert done.exit_code == 0, done.output
    titles, *lines = [line.split("  ") for line in done.output.splitlines()]
    assert titles[0] == "name"
    assert [line[0].strip() for line in lines] == ["k8s", "ML"]
    assert json.loads(run(folder, "list", "--json").output) == [ALIAS, ml]


@pytest.mark.parametrize(
    ("name", "path"), [("k8s", "k8s"), ("CI/CD", "CI%2FCD"), ("C#", "C%23"), ("big apple", "big%20apple")]
)
def test_setting_and_removing_one(receiver: Receiver, folder: Path, name: str, path: str) -> None:
    answers(receiver, f"/v1/aliases/{path}", ALIAS)
    done = run(folder, "set", name, "Kubernetes")
    assert (done.exit_code, done.output.split()) == (0, ["name", "k8s", "meaning", "Kubernetes"])
    assert run(folder, "remove", name).exit_code == 0
    made, removed = receiver.requests
    assert (made.method, made.target, made.json()) == (
        "PUT",
        f"/v1/aliases/{path}",
        {"meaning": "Kubernetes"},
    )
    assert (removed.method, removed.target) == ("DELETE", f"/v1/aliases/{path}")


def test_a_refusal_is_said_in_its_words(receiver: Receiver, folder: Path) -> None:
    problem = {"title": "…", "errors": [{"field": "meaning", "message": "is the name itself"}]}
    answers(receiver, "/v1/aliases/k8s", problem, 422)
    done = run(folder, "set", "k8s", "K8s")
    assert (done.exit_code, str(done.exception)) == (1, "meaning: is the name itself")


def test_a_file_is_imported_but_for_its_bad_lines(receiver: Receiver, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "aliases.txt"
    file.write_text("\ufeff# ours\nk8s = Kubernetes\n\nnothing\n& = and\nML,machine learning\n", "utf-8")
    refused = [{"index": 1, "field": "name", "message": "needs a letter or a digit"}]
    answers(receiver, "/v1/aliases/import", {"stored": 2, "refused": refused})
    done = run(folder, "import", str(file))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == ["2 of 4 aliases are set"]
    assert done.stderr.splitlines() == [
        "line 4: is neither name = meaning nor CSV of two columns",
        "line 5: name: needs a letter or a digit",
    ]
    assert str(done.exception) == "2 of 4 lines were refused"
    (request,) = receiver.requests
    assert [one["name"] for one in request.json()["aliases"]] == ["k8s", "&", "ML"]


def test_standard_input_is_imported_in_parts(receiver: Receiver, folder: Path) -> None:
    refused = [{"index": 0, "field": "meaning", "message": "no"}]
    answers(receiver, "/v1/aliases/import", {"stored": AT_ONCE - 1, "refused": refused})
    done = run(folder, "import", "-", text="".join(f"n{n} = m{n}\n" for n in range(AT_ONCE + 1)))
    assert done.stdout.splitlines() == [f"{AT_ONCE - 1} of {AT_ONCE + 1} aliases are set"]
    assert done.stderr.splitlines() == ["line 1: meaning: no", f"line {AT_ONCE + 1}: meaning: no"]
    assert [len(request.json()["aliases"]) for request in receiver.requests] == [AT_ONCE, 1]


def test_a_file_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\xff\xfe")
    for name in ("image", "none"):
        done = run(folder, "import", str(tmp_path / name))
        assert done.exit_code == 1
        assert str(tmp_path / name) in str(done.exception)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("k8s = Kubernetes", ("k8s", "Kubernetes")),
        ("k8s=Kubernetes\r", ("k8s", "Kubernetes")),
        ("  big apple =  New   York ", ("big apple", "New York")),
        ("k8s,Kubernetes", ("k8s", "Kubernetes")),
        ('"Big, Bigger", "the = sign"', ("Big, Bigger", "the = sign")),
        ("#AI = artificial intelligence", ("#AI", "artificial intelligence")),
        ("a = b = c", ("a", "b = c")),
        ("= b", ("", "b")),
    ],
)
def test_a_line_is_a_name_and_its_meaning(line: str, found: tuple[str, str]) -> None:
    assert read_lines(line) == ({1: found}, {})


@pytest.mark.parametrize("line", ["", "  ", "# note", "#", "name,meaning", "Name = Meaning", ","])
def test_lines_that_say_nothing_are_passed_over(line: str) -> None:
    assert read_lines(f"{line}\nk8s = kubernetes\n{line}") == ({2: ("k8s", "kubernetes")}, {})


@pytest.mark.parametrize(
    "line", ["k8s", "a,b,c", '"k8s,kubernetes', '"a" b, c', f"a = {'x' * 101}", "k8s kubernetes"]
)
def test_other_lines_are_refused_and_no_other_with_them(line: str) -> None:
    lines, problems = read_lines(f"{line}\nk8s = kubernetes")
    assert lines == {2: ("k8s", "kubernetes")}
    assert list(problems) == [1]
