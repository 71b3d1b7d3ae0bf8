"""A field as a file: a picture, a sound, a video, an array, or a table of its values at given points."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import from_samples
from sinefield.errors import InputError
from sinefield.field.contour import contour
from sinefield.field.evaluate import window
from sinefield.field.field import Field
from sinefield.field.grayscale import grays
from sinefield.field.sphere_trace import SIDE, sphere_trace
from sinefield.signals import Crop, Header, formats, image
from sinefield.signals.array import write_array
from sinefield.signals.audio import AUDIO_SUFFIXES
from sinefield.signals.mesh import check_mesh, write_mesh
from sinefield.signals.table import read_coordinates, write_points

SEEN = Header("image", from_samples((1, 1)), (1, 1), ("R", "G", "B"), "uint8", (0.0,) * 3, (255.0,) * 3)
"""Of a picture of a shape."""


def render_to(
    path: Path,
    field: Field,
    quantity: str = "value",
    *,
    size: int | Sequence[int] | None = None,
    scale: float | None = None,
    crop: Crop | None = None,
    rate: float | None = None,
    slow: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> tuple[int, ...]:
    """Write a field on a grid, piece by piece, in the format that its suffix names; returns the grid's shape.

    Args:
        path: of the file.
        layer, size, scale, crop, rate, progress: as for `Field.render`.
        slow: how many times slower a sound or a video plays.

    Raises:
        InputError: a format that cannot hold it, a place that cannot be written, or what `Field.render` raises.
    """
    domain, shape = window(field.header, size, scale, crop, rate)
    header, numbers = field.header, quantity == "value" or formats.holds_numbers(path)
    if not numbers:
        if quantity == "normal":
            raise InputError(f"{path.name}: normals are vectors; write their numbers to .npy")
        if path.suffix.lower() in AUDIO_SUFFIXES:
            raise InputError(f"{path.name}: a derivative is no sound; write its numbers to .npy")
        header = replace(header, channels=(), dtype="uint8", low=(0.0,), high=(255.0,))
    formats.check(path, header)
    if not 0 < slow < float("inf"):
        raise InputError(f"slow must be positive; it is {slow}")
    if slow != 1 and domain.units[0] != "s":
        raise InputError(f"slow is for sounds and videos; the first axis here is {domain.axes[0]!r}")
    stream = field.stream if numbers else lambda *where, **how: grays(field, *where, **how)
    pieces = stream(domain, shape, quantity=quantity, progress=progress)
    formats.write(path, pieces, shape, shape[0] / (domain.upper[0] - domain.lower[0]) / slow, header)
    return shape


def render_mesh(
    path: Path,
    field: Field,
    level: float | None = None,
    resolution: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> tuple[int, ...]:
    """Write a level of a field over space as a mesh with its normals; returns how many vertices and triangles it has.

    Raises:
        InputError: a place that cannot be written, or what `contour` raises.
    """
    check_mesh(path)
    mesh = contour(field, level, resolution, progress=progress)
    write_mesh(path, mesh)
    return len(mesh.vertices), len(mesh.faces)


def render_views(
    path: Path,
    field: Field,
    size: int | Sequence[int] | None = None,
    up: str = "y",
    progress: Callable[[float], None] = lambda done: None,
) -> tuple[int, ...]:
    """Write a picture of a shape from four sides, of which each is `size` wide and high; returns its shape.

    Raises:
        InputError: a format or a place that cannot be written, or what `views` raises.
    """
    if size is not None and not isinstance(size, int):
        raise InputError("each side of a shape is seen in a square; give its size as one number")
    image.check_format(path, SEEN)
    seen = sphere_trace(field, SIDE if size is None else size, up=up, progress=progress)
    image.write_image(path, seen, SEEN)
    return seen.shape[:2]


def render_at(
    path: Path, field: Field, table: Path, quantity: str = "value", progress: Callable[[float], None] | None = None
) -> tuple[int, ...]:
    """Write a layer of a field at the points of a table, beside their coordinates or as .npy; returns how many.

    Raises:
        InputError: a table without the field's axes as columns, or a place that cannot be written.
    """
    domain = field.header.domain
    if path.suffix.lower() != ".npy" and formats.kind_of(path) != "points":
        raise InputError(f"{path.name}: values at points are written to .csv, .parquet or .npy")
    coords = read_coordinates(table, domain.axes)
    beyond = ((coords < np.asarray(domain.lower)) | (coords > np.asarray(domain.upper))).any(axis=1)
    if beyond.any():
        warnings.warn(f"{beyond.sum()} of {len(coords)} points lie outside of what was fitted", stacklevel=2)

    def points(index: NDArray[np.int64]) -> NDArray[np.float64]:
        return coords[index]

    pieces = field.sample(points, len(coords), quantity=quantity, progress=progress)
    if path.suffix.lower() == ".npy":
        write_array(path, pieces, (len(coords),))
    else:
        write_points(path, coords, domain.axes, (_flat(piece) for piece in pieces), _names(field, quantity))
    return (len(coords),)


def _flat(piece: NDArray[Any]) -> NDArray[Any]:
    return piece.reshape(len(piece), -1)


def _names(field: Field, quantity: str) -> list[str]:
    channels, axes = field.header.channels or ("value",), field.header.domain.axes
    match quantity:
        case "value":
            return list(channels)
        case "gradient":
            return [f"d{channel}/d{axis}" for channel in channels for axis in axes]
        case "laplacian":
            return [f"laplacian {channel}" for channel in channels]
        case "normal":
            return [f"normal {axis}" for axis in axes]
        case "curvature":
            return ["curvature"]
    return [f"d{channel}/{quantity}" for channel in channels]
