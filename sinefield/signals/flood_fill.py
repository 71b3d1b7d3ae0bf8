"""Inside and outside of a point cloud, by flood fill from the border of its bounding box."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from sinefield.domain import Domain

COARSEST = 16
"""Number of cells along the longest side of the first grid."""

FINEST = 256
"""Largest number of cells along the longest side of a grid."""

REFINEMENT = 1.5
"""Ratio of the numbers of cells along a side of successive grids."""

LEAK = 0.5
"""Ratio of enclosed volumes of successive grids below which the finer grid is taken to leak through gaps."""

Side = Callable[[Float64[np.ndarray, "n 3"]], Float64[np.ndarray, " n"]]
"""Function that maps points (n, 3) to -1 inside a surface and 1 outside."""


def flooded(points: Float64[np.ndarray, "m 3"], domain: Domain, spacing: float) -> Side | None:
    """Estimate which points are inside a surface that is given by a point cloud.

    Grid cells that hold a point and their neighbors are walls; cells that the flood reaches from the border are
    outside. The grid is refined until the flood leaks through gaps between points, and the finest grid without a leak
    is used.

    Args:
        points: Points on the surface (m, 3).
        domain: Box around the surface.
        spacing: Typical distance between neighboring points; no cell is smaller.

    Returns:
        Function that maps points (n, 3) to -1 inside and 1 outside, or None if no grid encloses a volume.
    """
    lower, extent = np.asarray(domain.lower), np.subtract(domain.upper, domain.lower)
    finest, cells = min(FINEST, extent.max() / spacing), float(COARSEST)
    best: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
    while cells <= finest:
        size = extent.max() / cells
        walls, inside = _fill(points, lower, size, np.ceil(extent / size).astype(int))
        if best is not None and inside.mean() < LEAK * best[1].mean():
            break
        if inside.any():
            best = walls, inside
        cells *= REFINEMENT
    if best is None:
        return None
    sign = _sign_of_cells(*best)
    scale = np.asarray(sign.shape) / extent

    def side(x: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " n"]:
        indices = np.clip(((x - lower) * scale).astype(int), 0, np.asarray(sign.shape) - 1)
        values: NDArray[np.float64] = sign[tuple(indices.T)]
        return values

    return side


def _fill(
    points: NDArray[np.float64], lower: NDArray[np.float64], size: float, shape: NDArray[np.int_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The cells that are walls, and the cells that they enclose."""
    from scipy.ndimage import binary_dilation, generate_binary_structure, label

    walls = np.zeros(shape + 2, bool)  # an additional layer of cells connects the outside
    walls[tuple((np.minimum((points - lower) / size, shape - 1).astype(int) + 1).T)] = True
    walls = binary_dilation(walls, generate_binary_structure(3, 1))
    labels, _ = label(~walls)
    inside = ~walls & (labels != labels[0, 0, 0])
    return walls[1:-1, 1:-1, 1:-1], inside[1:-1, 1:-1, 1:-1]


def _sign_of_cells(walls: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """-1 for cells inside, 1 outside; a wall has the sign of the nearest other cell."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(walls, return_distances=False, return_indices=True)
    return np.where(inside[tuple(nearest)], -1.0, 1.0)
