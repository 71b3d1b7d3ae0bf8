"""A picture of a shape from four directions, by sphere tracing of its signed distance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, UInt8
from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.progress import Progress, ProgressCallback, ignore

STEP_RATIO = 0.9
"""Step of a ray relative to the distance; below 1, since the distance of a field is approximate."""

MAX_STEPS = 200
"""Largest number of steps of a ray."""

HIT_DISTANCE = 2e-4
"""Distance from the surface at which a ray ends, relative to half the longest side of the box."""

SURFACE_COLOR = np.array([206.0, 190.0, 172.0])
"""Color of a fully lit surface, as 8-bit RGB."""

LIGHT_DIRECTION = np.array([0.35, 0.55, 0.76])
"""Direction towards the light: right, up and towards the viewer."""

AMBIENT = 0.25
"""Brightness of a surface that faces away from the light, relative to a fully lit one."""

SIZE = 384
"""Default width and height of a view in pixels."""

MAX_SIZE = 8192
"""Largest width and height of a view in pixels."""

AZIMUTHS = (30.0, 120.0, 210.0, 300.0)
"""Directions of the views about the upward axis, in degrees."""

ELEVATION = 20.0
"""Direction of the views above the horizontal plane, in degrees."""

VIEW_EXTENT = 0.72
"""Half the side of a view relative to half the diagonal of the box."""

View = Float64[np.ndarray, "3 3"]
"""Unit vectors to the right, up and towards the viewer, as rows, in the coordinates of the field."""


def sphere_trace(
    field: Field, size: int = SIZE, *, up: str = "y", progress: ProgressCallback = ignore
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a shape from four directions, side by side, on a white background.

    Args:
        field: A signed distance.
        size: Width and height of each view in pixels.
        up: Axis that points upwards in the picture.
        progress: Called after each view.

    Returns:
        RGB picture, shape (size, 4 * size, 3).

    Raises:
        InputError: The field is not a signed distance, or the axis or the size is invalid.
    """
    header = field.header
    if header.kind != "shape":
        raise InputError(f"sphere tracing needs a shape; this is a field of kind {header.kind}")
    if up not in header.domain.axes:
        raise InputError(f"up is one of {', '.join(header.domain.axes)}; it is {up!r}")
    if not 0 < size <= MAX_SIZE:
        raise InputError(f"the size of a view must be from 1 to {MAX_SIZE} pixels; it is {size}")
    pictures = []
    for azimuth in AZIMUTHS:
        pictures.append(_draw(field, view_axes(header.domain.axes.index(up), azimuth, ELEVATION), size))
        progress(Progress(len(pictures) / len(AZIMUTHS)))
    return np.concatenate(pictures, axis=1)


def view_axes(up: int, azimuth: float, elevation: float) -> View:
    """Return the axes of a view.

    Args:
        up: Index of the axis that points upwards.
        azimuth: Angle of the viewer about that axis, in degrees.
        elevation: Angle of the viewer above the plane across that axis, in degrees.
    """
    azimuth, elevation = np.radians(azimuth), np.radians(elevation)
    axes = np.roll(np.eye(3), up + 1, axis=1)  # two horizontal axes, then the upward one
    horizontal = np.cos(azimuth) * axes[0] + np.sin(azimuth) * axes[1]
    viewer = np.cos(elevation) * horizontal + np.sin(elevation) * axes[2]
    right = np.cross(axes[2], horizontal)
    return np.stack([right, np.cross(viewer, right), viewer])


def _draw(field: Field, view: View, size: int) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a shape in parallel projection, with diffuse shading."""
    domain = field.header.domain
    lower, upper, center = np.asarray(domain.lower), np.asarray(domain.upper), np.asarray(domain.center)
    radius = float(np.linalg.norm(upper - lower)) / 2
    pixels = np.linspace(-1, 1, size, endpoint=False) + 1 / size
    right, down = np.meshgrid(VIEW_EXTENT * radius * pixels, VIEW_EXTENT * radius * pixels)
    origins = center + right.reshape(-1, 1) * view[0] - down.reshape(-1, 1) * view[1] + 2 * radius * view[2]
    near, far = _intersect_box(origins, -view[2], lower, upper)
    inside = np.flatnonzero(near < far)
    distance = _trace(field, origins[inside], -view[2], near[inside], far[inside])
    picture = np.full((size * size, 3), 255.0)
    hit = np.isfinite(distance)
    if hit.any():
        points = origins[inside[hit]] - distance[hit, None] * view[2]
        normals = field.at(points, "normal")[:, 0]
        diffuse = np.clip(normals @ (LIGHT_DIRECTION / np.linalg.norm(LIGHT_DIRECTION) @ view), 0, 1)
        picture[inside[hit]] = (AMBIENT + (1 - AMBIENT) * diffuse)[:, None] * SURFACE_COLOR
    return picture.round().astype(np.uint8).reshape(size, size, 3)


def _intersect_box(
    origins: NDArray[np.float64], direction: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distances along each ray at which it enters and leaves a box; near >= far if it misses the box."""
    safe = np.where(np.abs(direction) < 1e-12, 1e-12, direction)
    to_lower, to_upper = (lower - origins) / safe, (upper - origins) / safe
    return np.minimum(to_lower, to_upper).max(axis=1), np.maximum(to_lower, to_upper).min(axis=1)


def _trace(
    field: Field,
    origins: NDArray[np.float64],
    direction: NDArray[np.float64],
    near: NDArray[np.float64],
    far: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the distance along each ray to the surface, infinity for rays that miss it.

    Source: Hart, "Sphere tracing", 1996.
    """
    result, distance = np.full(len(origins), np.inf), near.copy()
    active, tolerance = np.arange(len(origins)), HIT_DISTANCE * max(field.header.domain.half_extent)
    for _ in range(MAX_STEPS):
        if not len(active):
            break
        value = field.at(origins[active] + distance[active, None] * direction)[:, 0]
        hit = value < tolerance
        result[active[hit]] = distance[active[hit]]
        distance[active] += STEP_RATIO * np.maximum(value, tolerance)
        active = active[~hit & (distance[active] < far[active])]
    return result
