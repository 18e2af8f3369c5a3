"""Finding the kinds: each module of a package offers one object under an agreed name."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any, TypeVar

from core.errors import ConfigurationError

T = TypeVar("T")


def discover(package: ModuleType, attribute: str) -> dict[str, T]:
    """Return what each module of `package` holds under `attribute`, by the `name` of that object.

    `base` and modules starting with an underscore are skipped. Raises ConfigurationError naming the
    module that cannot be imported, lacks the object or its name, or takes a name already taken.
    """
    found: dict[str, T] = {}
    owners: dict[str, str] = {}
    for path in _module_paths(package):
        kind = _load(path, attribute)
        name = _name_of(kind, path, attribute)
        if name in owners:
            raise ConfigurationError(f"{path}: the name {name!r} is already taken by {owners[name]}")
        found[name] = kind
        owners[name] = path
    return found


def _module_paths(package: ModuleType) -> list[str]:
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [f"{package.__name__}.{name}" for name in names if name != "base" and not name.startswith("_")]


def _load(path: str, attribute: str) -> Any:
    try:
        module = importlib.import_module(path)
    except Exception as error:
        raise ConfigurationError(f"{path}: cannot be imported: {error}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise ConfigurationError(f"{path}: has no {attribute}") from None


def _name_of(kind: object, path: str, attribute: str) -> str:
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{path}: {attribute} has no name")
    return name
