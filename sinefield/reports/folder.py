"""Where a report goes."""

from __future__ import annotations

from pathlib import Path

from sinefield.errors import InputError
from sinefield.files import check_writable


def prepare(folder: Path) -> None:
    """Make a folder, or raise InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from error
    check_writable(folder)
