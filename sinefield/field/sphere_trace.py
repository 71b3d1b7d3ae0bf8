"""A shape as a picture from a few sides, by sphere tracing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, UInt8
from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.field.field import Field

CAUTION, STEPS, HIT = 0.9, 200, 2e-4
"""The share of the distance that a ray goes at once; how often; and how near it comes, as a share of half the box."""

CLAY, LIGHT, AMBIENT = np.array([206.0, 190.0, 172.0]), np.array([0.35, 0.55, 0.76]), 0.25
"""The colour of a shape in full light; where that comes from: the right, above, behind the eye; and what is left in the
shade."""

SIDE = 384
"""Pixels along a view."""

AROUND = (30.0, 120.0, 210.0, 300.0)
"""Degrees about the upright axis from which a shape is looked at."""

View = Float64[np.ndarray, "3 3"]
"""To the right, up, and to the eye, in the field's coordinates."""


def sphere_trace(
    field: Field, size: int = SIDE, *, up: str = "y", progress: Callable[[float], None] = lambda done: None
) -> UInt8[np.ndarray, "h w 3"]:
    """A shape from four sides, in one picture of four times `size` × `size` pixels.

    Args:
        field: a signed distance.
        size: of each side.
        up: the axis that points upwards in the picture.
        progress: called with the share that is done.

    Raises:
        InputError: a field that is no signed distance, another axis, a size that is not positive.
    """
    header = field.header
    if header.kind != "shape":
        raise InputError(f"only a shape is looked at from outside; this is a field of kind {header.kind}")
    if up not in header.domain.axes:
        raise InputError(f"up is one of {', '.join(header.domain.axes)}; it is {up!r}")
    if not 0 < size <= 8192:
        raise InputError(f"the size of a view must be from 1 to 8192 pixels; it is {size}")
    seen = []
    for index, angle in enumerate(AROUND):
        seen.append(_seen(field, looking(header.domain.axes.index(up), angle, 20.0), size))
        progress((index + 1) / len(AROUND))
    return np.concatenate(seen, axis=1)


def looking(up: int, azimuth: float, elevation: float) -> View:
    """The view from so many degrees about an axis, and so many above the plane across it."""
    around, above = np.radians(azimuth), np.radians(elevation)
    axes = np.roll(np.eye(3), up + 1, axis=1)  # two across, and the last upright
    level = np.cos(around) * axes[0] + np.sin(around) * axes[1]
    eye = np.cos(above) * level + np.sin(above) * axes[2]
    right = np.cross(axes[2], level)
    return np.stack([right, np.cross(eye, right), eye])


def _seen(field: Field, view: View, size: int) -> UInt8[np.ndarray, "h w 3"]:
    """One side, in parallel projection."""
    domain = field.header.domain
    lower, upper, center = np.asarray(domain.lower), np.asarray(domain.upper), np.asarray(domain.center)
    reach = float(np.linalg.norm(upper - lower)) / 2
    across = np.linspace(-1, 1, size, endpoint=False) + 1 / size
    right, down = np.meshgrid(0.72 * reach * across, 0.72 * reach * across)
    rays = center + right.reshape(-1, 1) * view[0] - down.reshape(-1, 1) * view[1] + 2 * reach * view[2]
    near, far = _through(rays, -view[2], lower, upper)
    found = np.flatnonzero(near < far)
    hit = _traced(field, rays[found], -view[2], near[found], far[found])
    picture = np.full((size * size, 3), 255.0)
    ahead = np.isfinite(hit)
    if not ahead.any():
        return picture.astype(np.uint8).reshape(size, size, 3)
    points = rays[found[ahead]] - hit[ahead, None] * view[2]
    lit = field.at(points, "normal") @ (LIGHT / np.linalg.norm(LIGHT) @ view)
    picture[found[ahead]] = (AMBIENT + (1 - AMBIENT) * np.clip(lit, 0, 1))[:, None] * CLAY
    return picture.round().astype(np.uint8).reshape(size, size, 3)


def _through(
    rays: NDArray[np.float64], towards: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where rays enter and leave a box."""
    safe = np.where(np.abs(towards) < 1e-12, 1e-12, towards)
    one, other = (lower - rays) / safe, (upper - rays) / safe
    return np.minimum(one, other).max(axis=1), np.maximum(one, other).min(axis=1)


def _traced(
    field: Field,
    rays: NDArray[np.float64],
    towards: NDArray[np.float64],
    near: NDArray[np.float64],
    far: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far along each ray the surface is; infinity where there is none.

    Source: Hart, "Sphere tracing", 1996.
    """
    distance, along = np.full(len(rays), np.inf), near.copy()
    going, close = np.arange(len(rays)), HIT * max(field.header.domain.half_extent)
    for _ in range(STEPS):
        if not len(going):
            break
        value = field.at(rays[going] + along[going, None] * towards)
        hit = value < close
        distance[going[hit]] = along[going[hit]]
        along[going] += CAUTION * np.maximum(value, close)
        going = going[~hit & (along[going] < far[going])]
    return distance
