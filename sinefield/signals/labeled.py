"""Labeled arrays of xarray: as signals, and from the samples of a field."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.extras import extra
from sinefield.signals.array import from_array
from sinefield.signals.points import from_points, to_seconds
from sinefield.signals.signal import Header, Signal

if TYPE_CHECKING:
    import xarray

EVEN = 1e-3
"""Largest deviation of an evenly spaced coordinate, in steps; coordinates are often stored in single precision."""


def from_xarray(array: xarray.DataArray, *, channel_dim: Hashable | None = None) -> Signal:
    """Return a labeled array as a signal: its dimensions are the axes, with their coordinates.

    Times are converted to seconds since 1970, and durations to seconds; other units are those of the attribute `units`
    of a coordinate. A dimension without a coordinate is measured in samples. Descending coordinates are reversed. If a
    coordinate is not evenly spaced, the signal consists of scattered samples, whose d coordinates are held in memory.

    Args:
        array: Array of real numbers.
        channel_dim: Dimension that holds channels, whose coordinate contains their names (default: none).

    Raises:
        InputError: The input is not a data array, the dimension does not exist, a coordinate is neither a number nor a
            time, xarray is not installed, or `from_array` or `from_points` rejects the values.
    """
    with extra("xarray"):
        import xarray

    if not isinstance(array, xarray.DataArray):
        raise InputError(f"a DataArray is needed, not {type(array).__name__}; choose one variable of a Dataset")
    if channel_dim is not None and channel_dim not in array.dims:
        raise InputError(f"there is no dimension {channel_dim!r}; the array has {', '.join(map(str, array.dims))}")
    dims, name = [dim for dim in array.dims if dim != channel_dim], str(array.name or "array")
    if not dims or array.size == 0:
        raise InputError(f"{name} has no samples along a coordinate: its sizes are {dict(array.sizes)}")
    array = array.transpose(*dims, *([] if channel_dim is None else [channel_dim]))
    coords = [_coordinates(array, dim) for dim in dims]
    axes, units = [str(dim) for dim in dims], [_unit(array, dim) for dim in dims]
    channels = None if channel_dim is None else _channels(array, channel_dim)
    steps = [_step(each) for each in coords]
    if None in steps:
        mesh = np.stack(np.meshgrid(*coords, indexing="ij"), axis=-1).reshape(-1, len(dims))
        values = array.values.reshape(len(mesh), *array.shape[len(dims) :])
        return from_points(mesh, values, axes=axes, units=units, channels=channels, name=name)
    ascending = tuple(slice(None, None, -1 if step is not None and step < 0 else 1) for step in steps)
    signal = from_array(
        array.values[ascending],
        channel_axis=None if channels is None else -1,
        origin=[float(each.min()) for each in coords],
        step=[abs(step or 0.0) for step in steps],
        axes=axes,
        units=units,
        name=name,
    )
    return replace(signal, header=replace(signal.header, channels=tuple(channels or ())))


def to_data_array(samples: NDArray[Any], domain: Domain, shape: Sequence[int], header: Header) -> xarray.DataArray:
    """Return samples of a field on a grid as a labeled array with the axes, coordinates and units of the field.

    Args:
        samples: Samples (*shape), followed by an axis for the channels if the header has any. A gradient has one more
            axis of length d, which becomes the dimension "along".
        domain: Box that was sampled, at the centers of its cells.
        shape: Number of samples along each axis.
        header: Header of the field.

    Raises:
        InputError: xarray is not installed.
    """
    with extra("xarray"):
        import xarray

    inner = {"channel": list(header.channels)} if header.channels else {}
    if samples.ndim > len(shape) + len(inner):
        inner["along"] = list(domain.axes)
    coords = {
        axis: (axis, centers, {"units": unit} if unit else {})
        for axis, unit, centers in zip(domain.axes, domain.units, domain.centers(shape), strict=True)
    }
    return xarray.DataArray(samples, {**coords, **inner}, [*domain.axes, *inner])


def _coordinates(array: xarray.DataArray, dim: Hashable) -> NDArray[np.float64]:
    """The coordinates of a dimension as numbers."""
    if dim not in array.coords:
        return np.arange(array.sizes[dim], dtype=np.float64)
    coords = np.asarray(array.coords[dim].values)
    if coords.dtype.kind in "mM":
        return to_seconds(coords)
    if coords.dtype.kind not in "uif":
        raise InputError(f"the coordinate {dim!r} is of the type {coords.dtype}; numbers or times are needed")
    return coords.astype(np.float64)


def _unit(array: xarray.DataArray, dim: Hashable) -> str:
    if dim not in array.coords:
        return "sample"
    coordinate = array.coords[dim]
    return "s" if coordinate.dtype.kind in "mM" else str(coordinate.attrs.get("units", ""))


def _channels(array: xarray.DataArray, dim: Hashable) -> list[str]:
    if dim not in array.coords:
        return [f"c{k}" for k in range(array.sizes[dim])]
    return [str(name) for name in array.coords[dim].values]


def _step(coords: NDArray[np.float64]) -> float | None:
    """The step between samples, negative for descending coordinates; None if they are not evenly spaced."""
    if len(coords) == 1:
        return 1.0
    step = float(coords[-1] - coords[0]) / (len(coords) - 1)
    line = coords[0] + step * np.arange(len(coords))
    return step if (abs(coords - line) < EVEN * abs(step)).all() else None
