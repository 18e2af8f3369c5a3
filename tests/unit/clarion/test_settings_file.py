"""The commented reference file of all settings."""

import re
from pathlib import Path

import pytest

from core.settings import PREFIX, Settings, load_settings

FILE = Path(__file__).parents[3] / "docs" / "clarion.env"
LINE = re.compile(r"^#(CLARION_[A-Z_]+)=(.*)$", re.MULTILINE)


def listed() -> dict[str, str]:
    return dict(LINE.findall(FILE.read_text(encoding="utf-8")))


def test_it_lists_exactly_the_settings_there_are() -> None:
    names = LINE.findall(FILE.read_text(encoding="utf-8"))
    assert sorted(name for name, _ in names) == sorted(
        f"{PREFIX}{name.upper()}" for name in Settings.model_fields
    )


@pytest.mark.parametrize("variable", sorted(listed()))
def test_each_default_is_the_programs(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, listed()[variable])
    name = variable.removeprefix(PREFIX).lower()
    assert getattr(load_settings(), name) == getattr(Settings.model_construct(), name)


def test_it_can_be_used_as_it_is() -> None:
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line]
    assert all(line.startswith("#") for line in lines)


def test_each_setting_is_explained() -> None:
    for paragraph in FILE.read_text(encoding="utf-8").strip().split("\n\n"):
        if LINE.search(paragraph):
            assert paragraph.startswith("# "), paragraph
