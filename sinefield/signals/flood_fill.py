"""What is outside of a surface that is known by points alone: what can be reached from the border of its box."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from sinefield.domain import Domain

FINEST, COARSEST, FINER, LEAK = 256, 16, 1.5, 0.5
"""Cells along the box at most, and to begin with; how many times as many there are in the next grid; and the share of
the inside that is left where it has leaked out."""

Side = Callable[[Float64[np.ndarray, "n 3"]], Float64[np.ndarray, " n"]]
"""Points ↦ -1 inside, 1 outside."""


def flooded(points: Float64[np.ndarray, "m 3"], domain: Domain, spacing: float) -> Side | None:
    """Which side of a surface points are on, or None if nothing is enclosed.

    Cells of a grid that hold a point, and those beside them, are a wall, and what the border reaches is outside. The
    grid is made finer as long as the walls hold, so that gaps are closed and the rest is seen as finely as can be.

    Args:
        points: on the surface.
        domain: a box around it.
        spacing: the usual distance between neighbouring points; no cell is smaller.
    """
    lower, extent = np.asarray(domain.lower), np.subtract(domain.upper, domain.lower)
    most, cells = min(FINEST, extent.max() / spacing), float(COARSEST)
    best: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
    while cells <= most:
        size = extent.max() / cells
        walls, inside = _filled(points, lower, size, np.ceil(extent / size).astype(int))
        if best is not None and inside.mean() < LEAK * best[1].mean():
            break
        if inside.any():
            best = walls, inside
        cells *= FINER
    if best is None:
        return None
    side = _extended(*best)
    scale = np.asarray(side.shape) / extent

    def of(x: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " n"]:
        at = np.clip(((x - lower) * scale).astype(int), 0, np.asarray(side.shape) - 1)
        found: NDArray[np.float64] = side[tuple(at.T)]
        return found

    return of


def _filled(
    points: NDArray[np.float64], lower: NDArray[np.float64], size: float, shape: NDArray[np.int_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The cells of the walls, and those that they enclose."""
    from scipy.ndimage import binary_dilation, generate_binary_structure, label

    walls = np.zeros(shape + 2, bool)  # with a border all around that no wall reaches
    walls[tuple((np.minimum((points - lower) / size, shape - 1).astype(int) + 1).T)] = True
    walls = binary_dilation(walls, generate_binary_structure(3, 1))
    parts, _ = label(~walls)
    inside = ~walls & (parts != parts[0, 0, 0])
    return walls[1:-1, 1:-1, 1:-1], inside[1:-1, 1:-1, 1:-1]


def _extended(walls: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """-1 inside, 1 outside, and in the walls what the nearest other cell is."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(walls, return_distances=False, return_indices=True)
    return np.where(inside[tuple(nearest)], -1.0, 1.0)
