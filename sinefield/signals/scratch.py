"""Samples that are too large for memory: decoded into a temporary file and memory-mapped."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.errors import InputError

LARGE = 2**26
"""Number of samples above which they stay on disk."""


def spill_to_disk(blocks: Iterable[NDArray[Any]], name: str) -> NDArray[Any]:
    """Write consecutive blocks (n, …) to a temporary file and return it as one read-only memory-mapped array.

    The operating system decides which parts are in memory, so the samples may be larger than the memory. The file is
    deleted with the array.

    Args:
        blocks: Arrays that agree in all axes but the first.
        name: Name of the data in error messages.

    Raises:
        InputError: There are no samples, or no room for them on disk.
    """
    count, first = 0, None
    # the file has no name and is deleted when the array closes it, even if the process is killed
    with tempfile.TemporaryFile(prefix="sinefield-") as file:
        try:
            for block in blocks:
                first = block if first is None else first
                file.write(np.ascontiguousarray(block, dtype=first.dtype).data)
                count += len(block)
            file.flush()
        except OSError as error:
            raise InputError(
                f"{name} cannot be unpacked in {tempfile.gettempdir()}: {error.strerror or error}; "
                "set TMPDIR to a folder with more room"
            ) from error
        if first is None or count * math.prod(first.shape[1:]) == 0:
            raise InputError(f"{name} holds no samples")
        return np.memmap(file, first.dtype, "r", shape=(count, *first.shape[1:]))


def check_room(size: int, name: str, folder: str | Path | None = None) -> None:
    """Raise InputError unless a folder has room for a file.

    Args:
        size: Size of the file, in bytes.
        name: Name of the file in error messages.
        folder: Folder to check (default: the folder of temporary files).
    """
    place = tempfile.gettempdir() if folder is None else folder
    free = shutil.disk_usage(place).free
    if size > free:
        remedy = "set TMPDIR to a folder with more room" if folder is None else "write it to another disk"
        raise InputError(f"{name} takes {size / 1e9:.1f} GB, and {place} has room for {free / 1e9:.1f} GB; {remedy}")
