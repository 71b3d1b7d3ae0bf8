"""Regrouping of consecutive chunks of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def rechunk(chunks: Iterator[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
    """Regroup consecutive chunks (n, …) into chunks (count, …); only the last may be shorter.

    No more input is consumed than the next chunk needs.

    Args:
        chunks: Arrays that agree in all axes but the first.
        count: Length of the new chunks.
    """
    held: list[NDArray[Any]] = []
    missing = count
    for chunk in chunks:
        while len(chunk):
            part, chunk = chunk[:missing], chunk[missing:]
            held.append(part)
            missing -= len(part)
            if missing == 0:
                yield np.concatenate(held)
                held, missing = [], count
    if held:
        yield np.concatenate(held)
