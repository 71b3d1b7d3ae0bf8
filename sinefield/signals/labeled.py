"""xarray's labelled arrays ⇄ `Signal` and samples of a field."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.signals.array import from_array
from sinefield.signals.points import from_points, seconds
from sinefield.signals.signal import Header, Signal

if TYPE_CHECKING:
    import xarray

EVEN = 1e-3
"""Samples are evenly spaced if each is within this share of a step from where it would be: coordinates are often kept
in single precision."""


def from_xarray(array: xarray.DataArray, *, channel_dim: Hashable | None = None) -> Signal:
    """A labelled array as a signal: its dimensions are the axes, its coordinates say where the samples sit.

    Times become seconds since 1970, durations seconds; other units come from a coordinate's attribute `units`. A
    dimension without a coordinate is counted in samples. Descending coordinates are turned round. Where a coordinate
    is not evenly spaced, every sample is a point of its own, with its d coordinates held in memory.

    Args:
        array: of real numbers.
        channel_dim: the dimension that holds channels, whose coordinate names them; None if all are coordinates.

    Raises:
        InputError: no data array, no such dimension, a coordinate that is not a number or a time, xarray is not
            installed, or what `from_array` and `from_points` raise.
    """
    if not isinstance(array, _xarray().DataArray):
        raise InputError(f"a DataArray is needed, not {type(array).__name__}; choose one variable of a Dataset")
    if channel_dim is not None and channel_dim not in array.dims:
        raise InputError(f"there is no dimension {channel_dim!r}; the array has {', '.join(map(str, array.dims))}")
    dims, name = [dim for dim in array.dims if dim != channel_dim], str(array.name or "array")
    if not dims or array.size == 0:
        raise InputError(f"{name} has no samples along a coordinate: its sizes are {dict(array.sizes)}")
    array = array.transpose(*dims, *([] if channel_dim is None else [channel_dim]))
    coords = [_places(array, dim) for dim in dims]
    axes, units = [str(dim) for dim in dims], [_unit(array, dim) for dim in dims]
    channels = None if channel_dim is None else _channels(array, channel_dim)
    steps = [_step(each) for each in coords]
    if None in steps:
        mesh = np.stack(np.meshgrid(*coords, indexing="ij"), axis=-1).reshape(-1, len(dims))
        values = array.values.reshape(len(mesh), *array.shape[len(dims) :])
        return from_points(mesh, values, axes=axes, units=units, channels=channels, name=name)
    back = tuple(slice(None, None, -1 if step is not None and step < 0 else 1) for step in steps)
    signal = from_array(
        array.values[back],
        channel_axis=None if channels is None else -1,
        origin=[float(each.min()) for each in coords],
        step=[abs(step or 0.0) for step in steps],
        axes=axes,
        units=units,
        name=name,
    )
    return replace(signal, header=replace(signal.header, channels=tuple(channels or ())))


def to_data_array(samples: NDArray[Any], domain: Domain, shape: Sequence[int], header: Header) -> xarray.DataArray:
    """What a field gives at the centres of `shape` cells of a domain, with its axes, coordinates and units.

    Args:
        samples: (*shape), with a last axis for the channels where the header has any; of a gradient with one more, of
            length d, which becomes the dimension "along".
        domain: the part that was rendered.
        header: of the field.

    Raises:
        InputError: xarray is not installed.
    """
    inner = {"channel": list(header.channels)} if header.channels else {}
    if samples.ndim > len(shape) + len(inner):
        inner["along"] = list(domain.axes)
    coords = {
        axis: (axis, centers, {"units": unit} if unit else {})
        for axis, unit, centers in zip(domain.axes, domain.units, domain.centers(shape), strict=True)
    }
    array: xarray.DataArray = _xarray().DataArray(samples, {**coords, **inner}, [*domain.axes, *inner])
    return array


def _xarray() -> ModuleType:
    try:
        import xarray
    except ModuleNotFoundError as error:
        raise InputError("xarray is not installed; pip install 'sinefield[xarray]'") from error
    return xarray


def _places(array: xarray.DataArray, dim: Hashable) -> NDArray[np.float64]:
    """The coordinates along a dimension."""
    if dim not in array.coords:
        return np.arange(array.sizes[dim], dtype=np.float64)
    coords = np.asarray(array.coords[dim].values)
    if coords.dtype.kind in "mM":
        return seconds(coords)
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
    """From one sample to the next, negative where they descend; None if they are not evenly spaced."""
    if len(coords) == 1:
        return 1.0
    step = float(coords[-1] - coords[0]) / (len(coords) - 1)
    line = coords[0] + step * np.arange(len(coords))
    return step if (abs(coords - line) < EVEN * abs(step)).all() else None
