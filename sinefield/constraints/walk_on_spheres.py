"""Harmonic functions by random walks: the value at a point is the mean of those where Brownian motion leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Int64

Walk = Callable[[Int64[np.ndarray, " n"], np.random.Generator], Int64[np.ndarray, " n"]]
"""Flat indices of samples where walks begin ↦ those of the samples where they leave."""


def walk_on_spheres(inside: Bool[np.ndarray, ...], step: Sequence[float]) -> Walk:
    """Brownian motion out of a region of a grid, which the edge of the grid reflects.

    It goes on spheres (Muller, "Some Continuous Monte Carlo Methods for the Dirichlet Problem", 1956): from the centre
    of a ball, Brownian motion meets its surface everywhere alike. If h is harmonic inside, h(x) is the mean of h where
    walks from x leave, up to half a sample at the border of the region.

    Args:
        inside: of the grid's shape, true in the region; false somewhere.
        step: the samples' distance along each axis.
    """
    from scipy.ndimage import distance_transform_edt

    distance, spacing = distance_transform_edt(inside, sampling=step), np.asarray(step)
    far, shortest = np.asarray(inside.shape) * spacing, min(step) / 2

    def walk(start: Int64[np.ndarray, " n"], random: np.random.Generator) -> Int64[np.ndarray, " n"]:
        leaves = start.copy()
        place = (np.stack(np.unravel_index(start, inside.shape), axis=-1) + 0.5) * spacing
        walking = np.arange(len(start))
        while len(walking):
            cell = np.minimum((place / spacing).astype(np.int64), np.asarray(inside.shape) - 1)
            leaves[walking] = np.ravel_multi_index(tuple(cell.T), inside.shape)
            off = np.linalg.norm(place - (cell + 0.5) * spacing, axis=1)
            free = distance[tuple(cell.T)]
            still = free > 0
            walking, place = walking[still], place[still]
            radius = np.maximum(free[still] - shortest - off[still], shortest)
            direction = random.standard_normal(place.shape)
            direction *= (radius / np.linalg.norm(direction, axis=1))[:, None]
            place = far - np.abs(far - np.abs(place + direction))
        return leaves

    return walk
