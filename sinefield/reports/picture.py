"""A picture: its renderings, derivatives and error."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.field.grayscale import magnitude, to_grayscale
from sinefield.reports import figures
from sinefield.signals import Signal, write_image
from sinefield.signals.image import write_gray

SCALE, MOST_PIXELS = 4, 40_000_000
"""The enlargement, and the size at which it becomes smaller than that."""


def picture(
    folder: Path, field: Field, signal: Signal, progress: Callable[[float], None] | None = None
) -> dict[str, str]:
    """Render a picture's field at its own size and enlarged, its derivatives, its error, and one sheet of it all.

    Args:
        folder: where the files go.
        progress: called with the share that is done.

    Returns:
        The files, by what they show.
    """
    header = signal.header
    scale = max(1, min(SCALE, math.isqrt(MOST_PIXELS // signal.size)))
    # work in units of one evaluation a pixel; a jet of order 1 or 2 costs about three or four of them
    parts = _shares([1, scale**2, 3, 4], progress)
    fitted = field.render(progress=parts[0])
    enlarged = field.render(scale=scale, progress=parts[1])
    gradient = field.render(quantity="gradient", progress=parts[2])
    laplacian = field.render(quantity="laplacian", progress=parts[3])

    suffix = ".tif" if header.channels == tuple("CMYK") else ".png"
    files = {
        "render": folder / f"render{suffix}",
        "enlarged": folder / f"render-{scale}x{suffix}",
        "gradient": folder / "gradient.png",
        "laplacian": folder / "laplacian.png",
        "error": folder / "error.png",
        "training": folder / "training.png",
        "sheet": folder / "sheet.png",
    }
    write_image(files["render"], fitted, header)
    write_image(files["enlarged"], enlarged, header)
    write_gray(files["gradient"], to_grayscale(gradient, "gradient"))
    write_gray(files["laplacian"], to_grayscale(laplacian, "laplacian"))
    figures.save_error_map(files["error"], header, signal.samples, fitted)
    figures.save_training_curve(files["training"], field.made)
    y, x = busiest(magnitude(gradient))
    detail = (signal.samples[y, x], enlarged[_times(y, scale), _times(x, scale)], scale)
    figures.contact_sheet(files["sheet"], header, signal.samples, fitted, gradient, laplacian, detail, field.made)
    return {name: str(path) for name, path in files.items()}


def busiest(slope: NDArray[Any], share: int = 5) -> tuple[slice, slice]:
    """The window of a fifth of the shorter side with the most gradient in it."""
    side = max(min(slope.shape) // share, 1)
    total = np.pad(slope, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    window = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    y, x = np.unravel_index(np.argmax(window), window.shape)
    return slice(int(y), int(y) + side), slice(int(x), int(x) + side)


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)


def _shares(costs: list[int], progress: Callable[[float], None] | None) -> list[Callable[[float], None] | None]:
    """One progress function for each of several jobs, from one for all of them."""
    if progress is None:
        return [None] * len(costs)
    before = np.cumsum([0, *costs])

    def share(index: int) -> Callable[[float], None]:
        return lambda done: progress(float((before[index] + done * costs[index]) / before[-1]))

    return [share(index) for index in range(len(costs))]
