"""Harmonic functions by random walks: the value at a point is the mean over the exit points of Brownian motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Int64

Walk = Callable[[Int64[np.ndarray, " n"], np.random.Generator], Int64[np.ndarray, " n"]]
"""Function from the flat indices of the samples where walks start to those of the samples where they leave a region."""


def walk_on_spheres(inside: Bool[np.ndarray, ...], step: Sequence[float]) -> Walk:
    """Return a simulator of Brownian motion that leaves a region of a grid and is reflected at the edges of the grid.

    Each step moves to a uniformly random point on a sphere around the current point that lies in the region, since
    Brownian motion from the center of a ball leaves it at a uniformly distributed point. If h is harmonic in the
    region, h(x) is the mean of h over the exit points of walks from x. The exit points are exact to half a sample.

    Args:
        inside: Mask of the region, of the shape of the grid, with at least one sample outside.
        step: Distance between neighboring samples along each axis.

    Source: Muller, "Some Continuous Monte Carlo Methods for the Dirichlet Problem", 1956.
    """
    from scipy.ndimage import distance_transform_edt

    distance, spacing = distance_transform_edt(inside, sampling=step), np.asarray(step)
    extent, min_radius = np.asarray(inside.shape) * spacing, min(step) / 2

    def walk(start: Int64[np.ndarray, " n"], random: np.random.Generator) -> Int64[np.ndarray, " n"]:
        exits = start.copy()
        position = (np.stack(np.unravel_index(start, inside.shape), axis=-1) + 0.5) * spacing
        active = np.arange(len(start))
        while len(active):
            cell = np.minimum((position / spacing).astype(np.int64), np.asarray(inside.shape) - 1)
            exits[active] = np.ravel_multi_index(tuple(cell.T), inside.shape)
            offset = np.linalg.norm(position - (cell + 0.5) * spacing, axis=1)
            free = distance[tuple(cell.T)]
            still_inside = free > 0
            active, position = active[still_inside], position[still_inside]
            radius = np.maximum(free[still_inside] - min_radius - offset[still_inside], min_radius)
            move = random.standard_normal(position.shape)
            move *= (radius / np.linalg.norm(move, axis=1))[:, None]
            position = extent - np.abs(extent - np.abs(position + move))  # reflected at the edges of the grid
        return exits

    return walk
