"""Samples on disk: decoded once, into a file without a name, or where they are; read where they are needed."""

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
"""More samples than these are left on disk."""


def spill_to_disk(blocks: Iterable[NDArray[Any]], name: str) -> NDArray[Any]:
    """Consecutive blocks (n, …) as one array on disk, memory-mapped and read-only; the file goes with the array.

    What of it is in memory is for the system to decide, so that a recording may be larger than that.

    Raises:
        InputError: no blocks, or no room for them.
    """
    count, first = 0, None
    # the array keeps the file open, which has no name by which it could be left behind
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
    """Raise InputError unless so many bytes fit a folder; that of temporary files unless given."""
    place = tempfile.gettempdir() if folder is None else folder
    free = shutil.disk_usage(place).free
    if size > free:
        remedy = "set TMPDIR to a folder with more room" if folder is None else "write it elsewhere"
        raise InputError(f"{name} takes {size / 1e9:.1f} GB, and {place} has room for {free / 1e9:.1f}; {remedy}")
