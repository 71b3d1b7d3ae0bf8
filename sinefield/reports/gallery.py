"""Rows of pictures, such as observed pixels, completed pictures and references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.reports import figures
from sinefield.signals import Header
from sinefield.signals.image import write_image

MISSING_COLOR = (0.16, 0.3, 0.55)
"""Color of missing pixels, which does not occur in grayscale pictures."""

GAP = 2
"""Pixels between neighboring tiles."""


def gallery(path: Path, rows: Sequence[Mapping[str, NDArray[Any]]], header: Header) -> None:
    """Save a figure with rows of pictures and their titles.

    Args:
        path: Path of the figure.
        rows: Pictures (height, width[, c]) by their titles; arrays of floats are colors in [0, 1].
        header: Header of the other pictures.
    """
    columns = max(len(row) for row in rows)
    with figures.saved_figure(path, (1.7 * columns, 1.9 * len(rows))) as figure:
        for line, row in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
            for axes in line:
                axes.axis("off")
            for axes, (title, picture) in zip(line, row.items(), strict=False):
                colors = picture if picture.dtype.kind == "f" else figures.as_colors(picture, header)
                figures.draw_picture(axes, colors, title)


def masked(picture: NDArray[Any], observed: NDArray[np.bool_], header: Header) -> NDArray[np.float64]:
    """Return a picture as colors in [0, 1], with the missing pixels in `MISSING_COLOR`."""
    colors = figures.as_colors(picture, header)
    colors = np.repeat(colors[..., None], 3, axis=-1) if colors.ndim == 2 else colors.copy()
    colors[~observed] = MISSING_COLOR
    return colors


def tiles(path: Path, rows: Sequence[Sequence[NDArray[Any]]], header: Header) -> None:
    """Write pictures of one size as one picture, with white gaps; a short last row is filled with white.

    Args:
        path: Path of the picture.
        rows: Rows of 8-bit pictures (height, width[, c]).
        header: Header of the pictures.
    """
    columns, white = max(len(row) for row in rows), np.iinfo(np.uint8).max
    filled = [[*row, *[np.full_like(rows[0][0], white)] * (columns - len(row))] for row in rows]
    gap = [(0, GAP), (0, GAP)] + [(0, 0)] * (rows[0][0].ndim - 2)
    lines = [np.concatenate([np.pad(tile, gap, constant_values=white) for tile in row], axis=1) for row in filled]
    write_image(path, np.concatenate(lines)[:-GAP, :-GAP], header)
