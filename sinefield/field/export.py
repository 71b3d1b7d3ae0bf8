"""Writing of a field to a file: a picture, sound, video, array or mesh, or a table of its values at given points."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import from_samples
from sinefield.errors import InputError
from sinefield.field.contour import contour
from sinefield.field.evaluate import window
from sinefield.field.field import Field
from sinefield.field.grayscale import grayscale_chunks
from sinefield.field.sphere_trace import SIZE, sphere_trace
from sinefield.progress import ProgressCallback, ignore
from sinefield.signals import Crop, Header, formats, image
from sinefield.signals.array import write_array
from sinefield.signals.audio import AUDIO_SUFFIXES
from sinefield.signals.mesh import check_mesh, write_mesh
from sinefield.signals.table import read_coordinates, write_points

VIEWS_HEADER = Header("image", from_samples((1, 1)), (1, 1), ("R", "G", "B"), "uint8", (0.0,) * 3, (255.0,) * 3)
"""Header of a picture of a shape."""


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
    progress: ProgressCallback | None = None,
) -> tuple[int, ...]:
    """Write a field on a grid, chunk by chunk, in the format that the suffix of the file names.

    Args:
        path: Path of the file.
        field: Field to write.
        quantity, size, scale, crop, rate, progress: As for `Field.render`.
        slow: Factor by which a sound or a video is slowed down.

    Returns:
        Shape of the grid.

    Raises:
        InputError: The format cannot hold the quantity, the file cannot be written, or what `Field.render` raises.
    """
    domain, shape = window(field.header, size, scale, crop, rate)
    header, as_numbers = field.header, quantity == "value" or formats.holds_numbers(path)
    if not as_numbers:
        if quantity == "normal":
            raise InputError(f"{path.name}: normals are vectors; write their numbers to .npy")
        if path.suffix.lower() in AUDIO_SUFFIXES:
            raise InputError(f"{path.name}: a derivative cannot be written as sound; write its numbers to .npy")
        header = replace(header, channels=(), dtype="uint8", low=(0.0,), high=(255.0,))
    formats.check(path, header)
    if not 0 < slow < float("inf"):
        raise InputError(f"slow must be positive; it is {slow}")
    if slow != 1 and domain.units[0] != "s":
        raise InputError(f"slow applies to sounds and videos; the first axis here is {domain.axes[0]!r}")
    if as_numbers:
        chunks = field.stream(domain, shape, quantity=quantity, progress=progress)
    else:
        chunks = grayscale_chunks(field, domain, shape, quantity, progress)
    formats.write(path, chunks, shape, shape[0] / (domain.upper[0] - domain.lower[0]) / slow, header)
    return shape


def render_mesh(
    path: Path,
    field: Field,
    level: float | None = None,
    resolution: int | None = None,
    progress: ProgressCallback = ignore,
) -> tuple[int, ...]:
    """Write a level set of a field over three coordinates as a mesh with normals.

    Args:
        path: Path of the file, with the suffix of a mesh format.
        field, level, resolution, progress: As for `sinefield.contour`.

    Returns:
        Number of vertices and number of triangles.

    Raises:
        InputError: The file cannot be written, or what `contour` raises.
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
    progress: ProgressCallback = ignore,
) -> tuple[int, ...]:
    """Write a picture of a shape from four directions.

    Args:
        path: Path of the picture.
        field, up, progress: As for `sinefield.field.sphere_trace.sphere_trace`.
        size: Width and height of each view in pixels (default 384).

    Returns:
        Height and width of the picture.

    Raises:
        InputError: The file cannot be written, or what `sphere_trace` raises.
    """
    if size is not None and not isinstance(size, int):
        raise InputError("each view of a shape is square; give its size as one number")
    image.check_format(path, VIEWS_HEADER)
    picture = sphere_trace(field, SIZE if size is None else size, up=up, progress=progress)
    image.write_image(path, picture, VIEWS_HEADER)
    return picture.shape[:2]


def render_at(
    path: Path, field: Field, table: Path, quantity: str = "value", progress: ProgressCallback | None = None
) -> tuple[int, ...]:
    """Write a quantity of a field at the points of a table: beside their coordinates, or alone to .npy.

    Args:
        path: Path of the file: .csv, .tsv, .parquet or .npy.
        field: Field to evaluate.
        table: Path of a table with one column for each axis of the field.
        quantity, progress: As for `Field.render`.

    Returns:
        Number of points.

    Raises:
        InputError: The table has no column for an axis, or the file cannot be written.
    """
    domain = field.header.domain
    if path.suffix.lower() != ".npy" and formats.format_of(path).name != "table":
        raise InputError(f"{path.name}: values at points are written to .csv, .parquet or .npy")
    coords = read_coordinates(table, domain.axes)
    outside = ((coords < np.asarray(domain.lower)) | (coords > np.asarray(domain.upper))).any(axis=1)
    if outside.any():
        warnings.warn(f"{outside.sum()} of {len(coords)} points lie outside the domain of the fit", stacklevel=2)

    def points(index: NDArray[np.int64]) -> NDArray[np.float64]:
        return coords[index]

    chunks = field.sample(points, len(coords), quantity=quantity, progress=progress)
    if path.suffix.lower() == ".npy":
        write_array(path, chunks, (len(coords),))
    else:
        rows = (chunk.reshape(len(chunk), -1) for chunk in chunks)
        write_points(path, coords, domain.axes, rows, _column_names(field, quantity))
    return (len(coords),)


def _column_names(field: Field, quantity: str) -> list[str]:
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
