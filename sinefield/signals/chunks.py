"""Consecutive pieces of samples, regrouped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def rechunk(pieces: Iterator[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
    """The same samples in pieces (count, …), of which only the last may be shorter."""
    held: list[NDArray[Any]] = []
    missing = count
    for piece in pieces:
        while len(piece):
            part, piece = piece[:missing], piece[missing:]
            held.append(part)
            missing -= len(part)
            if missing == 0:
                yield np.concatenate(held)
                held, missing = [], count
    if held:
        yield np.concatenate(held)
