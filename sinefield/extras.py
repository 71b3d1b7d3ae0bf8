"""Optional dependencies, which `pip install 'sinefield[NAME]'` installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sinefield.errors import InputError

PURPOSES = {
    "audio": "reading or writing sound",
    "image": "reading a sample picture or using TIFF or 16-bit color PNG",
    "plot": "drawing figures",
    "shape": "processing meshes",
    "tables": "reading or writing tables",
    "tensorboard": "logging to TensorBoard",
    "video": "reading or writing video",
    "xarray": "converting to or from xarray",
}
"""What each extra is for, as the subject of an error message."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Context manager for the imports of an optional dependency.

    A missing package is reported with the command that installs it. Errors of other kinds, and modules that are
    missing in sinefield itself, are not changed.

    Args:
        name: Name of the extra in pyproject.toml.

    Raises:
        InputError: A package is not installed.

    >>> with extra("video"):
    ...     import a_missing_package
    Traceback (most recent call last):
    sinefield.errors.InputError: reading or writing video needs the package a_missing_package, which is not installed; \
pip install 'sinefield[video]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "sinefield"):
            raise
        purpose = PURPOSES.get(name, f"the extra {name}")
        raise InputError(
            f"{purpose} needs the package {package}, which is not installed; pip install 'sinefield[{name}]'"
        ) from error
