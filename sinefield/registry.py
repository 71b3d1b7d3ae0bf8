"""Registries: named objects that the modules of a package add with a decorator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TypeVar

from sinefield.errors import InputError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Mapping from names to the objects that the modules of a package register.

    The modules are imported when a name is missing or when the registry is iterated, so a new module needs no entry in
    any list. Names are in order of registration.

    Args:
        kind: Noun for one object in messages, such as "activation".
        package: Import name of the package whose modules register the objects.

    >>> codecs: Registry[type] = Registry("codec", "json")
    >>> codecs.add("plain", dict)
    <class 'dict'>
    >>> list(codecs), codecs.find("plain")
    (['plain'], <class 'dict'>)
    >>> codecs.find("binary")
    Traceback (most recent call last):
    sinefield.errors.InputError: unknown codec 'binary'; choose from plain
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._items: dict[str, T] = {}
        self._complete = False

    def add(self, name: str, item: T) -> T:
        """Register an object and return it; a module that is executed again replaces its own objects.

        Raises:
            ValueError: The name is registered by another module.
        """
        known = self._items.get(name, item)
        if known is not item and _module(known) != _module(item):
            raise ValueError(f"the {self.kind} {name!r} of {_module(item)} is already registered by {_module(known)}")
        self._items[name] = item
        return item

    def remove(self, name: str) -> None:
        """Remove an object, such as one that a test has added."""
        del self._items[name]

    def find(self, name: str) -> T:
        """Return the object with a name that a user chose.

        Raises:
            InputError: The name is unknown; the message lists the names.
        """
        if name in self:
            return self[name]
        names = ", ".join(self)
        advice = f"choose from {names}" if names else f"no {self.kind} is registered"
        raise InputError(f"unknown {self.kind} {name!r}; {advice}")

    def declared(self, decorator: str) -> list[str]:
        """Names that the sources of the package register, sorted by module and then by position.

        The sources are read and not imported: the text of `--help` must not load PyTorch.

        Args:
            decorator: Name of the decorator, for `@decorator("name")` at the start of a line.
        """
        pattern = re.compile(rf'^@{re.escape(decorator)}\(\s*"([^"]+)"', re.MULTILINE)
        files = sorted(self._folder().glob("*.py"), key=lambda path: path.stem)
        return [name for file in files for name in pattern.findall(file.read_text(encoding="utf-8"))]

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            self._import_modules()
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._import_modules()
        return iter(self._items)

    def __len__(self) -> int:
        self._import_modules()
        return len(self._items)

    def _import_modules(self) -> None:
        """Import every module of the package, once."""
        if self._complete:
            return
        for module in iter_modules(import_module(self.package).__path__):
            import_module(f"{self.package}.{module.name}")
        self._complete = True

    def _folder(self) -> Path:
        """Folder of the package; only its top-level package is located, since locating a subpackage imports it."""
        top, *rest = self.package.split(".")
        spec = find_spec(top)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(f"{top} is not an installed package")
        return Path(spec.submodule_search_locations[0], *rest)


def _module(item: object) -> str | None:
    return getattr(item, "__module__", None)
