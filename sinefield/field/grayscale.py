"""Derivatives as gray levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain
from sinefield.field.field import Field
from sinefield.progress import ProgressCallback

Array = NDArray[Any]
"""Array of any shape and type."""

LIMIT_SAMPLES = 2**18
"""Largest number of samples from which the limit of the gray levels of a large grid is estimated."""


def gradient_magnitude(gradient: Array, dim: int = 2) -> Array:
    """Return ‖∇Φ‖ over all channels together, shape (*grid).

    Args:
        gradient: Gradient, shape (*grid, d) or (*grid, c, d).
        dim: Number of axes of the grid.
    """
    grid = gradient.shape[:dim]
    squares: Array = np.square(gradient.astype(np.float64)).reshape(*grid, -1).sum(-1)
    return np.sqrt(squares)


def channel_mean(values: Array, dim: int = 2) -> Array:
    """Return the mean over the channels, shape (*grid), of values of shape (*grid) or (*grid, c)."""
    return values if values.ndim == dim else values.mean(-1)


def robust_limit(values: Array) -> float:
    """Return the 99.9th percentile of the absolute values, so that outliers do not set the scale of a figure."""
    return float(np.quantile(np.abs(values), 0.999))


def to_grayscale(values: Array, quantity: str, limit: float | None = None, dim: int = 2) -> Array:
    """Return a derivative as 8-bit gray levels.

    The magnitude of a gradient is black where it is zero. Other derivatives are averaged over the channels and are
    mid-gray where they are zero.

    Args:
        values: Derivative on a grid.
        quantity: "gradient", or the name of any other derivative.
        limit: Absolute value that is white; that of `robust_limit` by default.
        dim: Number of axes of the grid.
    """
    levels = _scalar(values, quantity, dim)
    relative = levels / ((robust_limit(levels) if limit is None else limit) or 1)
    relative = relative if quantity == "gradient" else relative / 2 + 0.5
    return np.rint(np.clip(relative, 0, 1) * 255).astype(np.uint8)


def grayscale_chunks(
    field: Field,
    domain: Domain,
    shape: tuple[int, ...],
    quantity: str,
    progress: ProgressCallback | None = None,
) -> Iterator[Array]:
    """Yield a derivative of a field on a grid as gray levels, in consecutive chunks.

    The limit is estimated on a coarse grid, so that all chunks have the same scale.
    """
    coarsening = max((np.prod(shape) / LIMIT_SAMPLES) ** (1 / len(shape)), 1.0)
    coarse = tuple(max(int(n / coarsening), 1) for n in shape)
    values = np.concatenate(list(field.stream(domain, coarse, quantity=quantity)))
    limit = robust_limit(_scalar(values, quantity, 1))
    for chunk in field.stream(domain, shape, quantity=quantity, progress=progress):
        yield to_grayscale(chunk, quantity, limit, 1)


def _scalar(values: Array, quantity: str, dim: int) -> Array:
    return gradient_magnitude(values, dim) if quantity == "gradient" else channel_mean(values, dim)
