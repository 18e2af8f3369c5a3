"""Finding kinds by scanning a package."""

import importlib
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from core.errors import ConfigurationError
from core.registry import discover

_numbers = count()


class PackageMaker:
    """Writes a package of the given modules and imports it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[str] = []

    def __call__(self, **modules: str) -> ModuleType:
        name = f"kinds_for_test_{next(_numbers)}"
        package = self.folder / name
        package.mkdir()
        (package / "__init__.py").write_text("")
        for module, source in modules.items():
            (package / f"{module}.py").write_text(source)
        self.made.append(name)
        importlib.invalidate_caches()
        return importlib.import_module(name)


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageMaker]:
    monkeypatch.syspath_prepend(str(tmp_path))
    maker = PackageMaker(tmp_path)
    yield maker
    for name in [name for name in sys.modules if name.split(".")[0] in maker.made]:
        del sys.modules[name]


def kind(name: str) -> str:
    return f"class Kind:\n    name = {name!r}\nKIND = Kind()\n"


def test_every_module_offers_its_kind_under_its_name(make_package: PackageMaker) -> None:
    package = make_package(first=kind("one"), second=kind("two"))
    found: dict[str, object] = discover(package, "KIND")
    assert list(found) == ["one", "two"]
    assert type(found["one"]).__module__ == f"{package.__name__}.first"


def test_base_and_private_modules_are_no_kinds(make_package: PackageMaker) -> None:
    package = make_package(base="raise RuntimeError", _shared="raise RuntimeError", real=kind("real"))
    found: dict[str, object] = discover(package, "KIND")
    assert list(found) == ["real"]


@pytest.mark.parametrize(
    ("modules", "complaint"),
    [
        ({"broken": "import no_such_module"}, r"\.broken: cannot be imported: No module named"),
        ({"broken": "nonsense("}, r"\.broken: cannot be imported"),
        ({"empty": ""}, r"\.empty: has no KIND"),
        ({"nameless": "KIND = object()"}, r"\.nameless: KIND has no name"),
        ({"blank": kind("")}, r"\.blank: KIND has no name"),
        ({"a": kind("same"), "b": kind("same")}, r"\.b: the name 'same' is already taken by .*\.a"),
    ],
)
def test_a_module_that_is_no_kind_is_named(
    make_package: PackageMaker, modules: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        discover(make_package(**modules), "KIND")
