"""Report of a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.field.grayscale import gradient_magnitude, to_grayscale
from sinefield.progress import ProgressCallback, ignore, subtasks
from sinefield.reports import figures
from sinefield.reports.registry import register_report
from sinefield.signals import Signal, write_image
from sinefield.signals.image import write_gray

SCALE = 4
"""Scale of the enlarged rendering."""

MAX_PIXELS = 40_000_000
"""Number of pixels of the enlarged rendering above which its scale is smaller."""

GRADIENT_COST = 3
"""Time for the gradient at a pixel relative to the value."""

LAPLACIAN_COST = 4
"""Time for the Laplacian at a pixel relative to the value."""


@register_report("image")
def picture(folder: Path, field: Field, signal: Signal, progress: ProgressCallback = ignore) -> dict[str, str]:
    """Write renderings of a picture at its own size and enlarged, its derivatives, its error and a contact sheet."""
    header = signal.header
    scale = max(1, min(SCALE, math.isqrt(MAX_PIXELS // signal.size)))
    parts = subtasks(progress, [1, scale**2, GRADIENT_COST, LAPLACIAN_COST])
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
    figures.save_error(files["error"], header, signal.samples, fitted)
    figures.save_psnr_curve(files["training"], field.info)
    y, x = steepest_window(gradient_magnitude(gradient))
    detail = (signal.samples[y, x], enlarged[_scaled(y, scale), _scaled(x, scale)], scale)
    figures.contact_sheet(files["sheet"], header, signal.samples, fitted, gradient, laplacian, detail, field.info)
    return {name: str(path) for name, path in files.items()}


def steepest_window(magnitude: NDArray[Any], ratio: int = 5) -> tuple[slice, slice]:
    """Return the square with the largest mean gradient magnitude, whose side is 1/ratio of the shorter side."""
    side = max(min(magnitude.shape) // ratio, 1)
    total = np.pad(magnitude, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    y, x = np.unravel_index(np.argmax(sums), sums.shape)
    return slice(int(y), int(y) + side), slice(int(x), int(x) + side)


def _scaled(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
