"""A file on disk is whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sinefield.errors import InputError, one_line


def check_input(path: Path, hint: str = "") -> Path:
    """The path itself, if there is a file to read.

    Raises:
        InputError: there is nothing, or something that is no file.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file in it")
        if not path.exists():
            raise InputError(f"{path} does not exist{hint}")
        if not path.is_file():
            raise InputError(f"{path} is no file but a device or a pipe; save it to a file first")
    except OSError as error:
        raise InputError(f"{one_line(path)} cannot be read: {error.strerror}") from error
    return path


def check_output(path: Path) -> Path:
    """The path itself, if a file can be written there; asked before the work, not after it.

    Raises:
        InputError: the path is a folder, or its folder does not exist or cannot be written.
    """
    folder = path.parent
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file in it")
        if not folder.is_dir():
            raise InputError(f"the folder {folder} does not exist; make it first (mkdir -p {folder})")
    except OSError as error:
        raise InputError(f"{one_line(path)} cannot be written: {error.strerror}") from error
    if len(path.name.encode()) > 200:
        raise InputError(f"the name {one_line(path.name, 40)}… is too long for a file")
    check_writable(folder)
    return path


def check_writable(folder: Path) -> None:
    """Raise InputError unless files can be made in a folder."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the folder {folder} cannot be written; choose another or change its permissions")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary neighbour of `path`, renamed to it when the block ends well and removed when it does not.

    Raises:
        InputError: the file cannot be written; what stood there before is unharmed.
    """
    check_output(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
