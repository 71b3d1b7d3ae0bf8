"""Pictures side by side: what was seen, what was made of it, what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.reports import figures
from sinefield.signals import Header
from sinefield.signals.image import write_image

MISSING = (0.16, 0.3, 0.55)
"""The colour of what is not seen, which is in no grey picture."""


def gallery(path: Path, rows: Sequence[Mapping[str, NDArray[Any]]], header: Header) -> None:
    """One row of pictures (height, width[, c]) by their titles after another; floats are colours in [0, 1]."""
    columns = max(len(row) for row in rows)
    with figures.figure_at(path, (1.6 * columns, 1.8 * len(rows))) as figure:
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            for axes in line:
                axes.axis("off")
            for axes, (title, picture) in zip(line, row.items(), strict=False):
                shown = picture if picture.dtype.kind == "f" else figures.as_colors(picture, header)
                figures.picture_at(axes, shown, title)


def masked(picture: NDArray[Any], seen: NDArray[np.bool_], header: Header) -> NDArray[np.float64]:
    """A picture as colours in [0, 1], blue where it is not seen."""
    shown = figures.as_colors(picture, header)
    colors = np.repeat(shown[..., None], 3, axis=-1) if shown.ndim == 2 else shown.copy()
    colors[~seen] = MISSING
    return colors


def tiles(path: Path, rows: Sequence[Sequence[NDArray[Any]]], header: Header) -> None:
    """Pictures of one size as one picture, with a gap of two pixels; what is missing in the last row is white."""
    across, white = max(len(row) for row in rows), np.iinfo(np.uint8).max
    padded = [[*row, *[np.full_like(rows[0][0], white)] * (across - len(row))] for row in rows]
    gap = [(0, 2), (0, 2)] + [(0, 0)] * (rows[0][0].ndim - 2)
    lines = [np.concatenate([np.pad(each, gap, constant_values=white) for each in row], axis=1) for row in padded]
    write_image(path, np.concatenate(lines)[:-2, :-2], header)
