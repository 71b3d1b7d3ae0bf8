"""Validation of input and output paths, and atomic writes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sinefield.errors import InputError, one_line

MAX_NAME_BYTES = 200
"""Longest file name in bytes; most file systems allow 255, and a temporary name is longer than the final one."""


def check_input(path: Path, hint: str = "") -> Path:
    """Return `path` if it is a regular file that exists.

    Args:
        path: Path of the file to read.
        hint: Text appended to the message when the path does not exist.

    Raises:
        InputError: If the path does not exist, or is a folder, a device or a pipe.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give the path of a file")
        if not path.exists():
            raise InputError(f"{path} does not exist{hint}")
        if not path.is_file():
            raise InputError(f"{path} is a device or a pipe, not a regular file; save the data to a file first")
    except OSError as error:
        raise InputError(f"{one_line(path)} cannot be read: {error.strerror}") from error
    return path


def check_output(path: Path) -> Path:
    """Return `path` if a file can be written there. Call this before a long computation, not after it.

    Raises:
        InputError: If the path is a folder, its name is too long, or its parent folder does not exist or is read-only.
    """
    folder = path.parent
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give the path of a file")
        if not folder.is_dir():
            raise InputError(f"the folder {folder} does not exist; create it first (mkdir -p {folder})")
    except OSError as error:
        raise InputError(f"{one_line(path)} cannot be written: {error.strerror}") from error
    if len(path.name.encode()) > MAX_NAME_BYTES:
        raise InputError(
            f"the file name {one_line(path.name, 40)}… is too long; the limit is {MAX_NAME_BYTES} bytes, shorten it"
        )
    check_writable(folder)
    return path


def check_writable(folder: Path) -> None:
    """Raise an InputError unless files can be created in `folder`."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the folder {folder} cannot be written; choose another folder or change its permissions")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Write a file atomically: yield a temporary path, renamed to `path` on success and removed on failure.

    Args:
        path: Final path of the file. An existing file is replaced only after the new one is complete.

    Yields:
        A temporary path in the same folder, with the same suffix.

    Raises:
        InputError: If the file cannot be written. An existing file is then unchanged.
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
        # mkstemp creates files that only their owner can read; apply the permissions of an ordinary new file
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


def make_folder(folder: Path) -> Path:
    """Create a folder with its parents, if it does not exist, and return it.

    Raises:
        InputError: If the folder cannot be created, or files cannot be created in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from error
    check_writable(folder)
    return folder
