"""Any N-dimensional array as a signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.signals.signal import Header, Signal, check_finite, value_range


def from_array(
    values: ArrayLike | Tensor,
    *,
    channel_axis: int | None = None,
    origin: Sequence[float] | None = None,
    step: Sequence[float] | None = None,
    axes: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    name: str = "array",
) -> Signal:
    """A regular grid of samples in the user's own coordinates: sample i of axis k sits at originₖ + i · stepₖ.

    Args:
        values: an array of real numbers of any dimension.
        channel_axis: the axis that holds channels rather than coordinates; None if every axis is a coordinate.
        origin: the coordinate of the first sample, per axis; 0 unless given.
        step: the distance between samples, per axis; 1 unless given.
        axes, units: names such as ("t", "depth") and ("s", "m"). Axes of one unit share one scale.
        name: for messages and figures.

    Raises:
        InputError: for no samples, values that are not real numbers, NaN or infinity, or lists of the wrong length.

    >>> signal = from_array([[0.0, 1.0, 4.0]], step=(1.0, 0.5), axes=("y", "x"), units=("m", "m"))
    >>> signal.header.shape, signal.header.domain.upper, signal.header.high
    ((1, 3), (0.5, 1.25), (4.0,))
    """
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked values; fill them, or fit the part without them")
    try:
        values = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} is not a regular array of numbers: {one_line(error)}") from error
    if values.dtype == np.longdouble:
        values = values.astype(np.float64)
    if values.dtype.kind not in "buif":
        raise InputError(f"{name} holds {values.dtype} values; real numbers are needed")
    channels: tuple[str, ...] = ()
    if channel_axis is None:
        values = values[..., None]
    elif -values.ndim <= channel_axis < values.ndim:
        values = np.moveaxis(values, channel_axis, -1)
        channels = tuple(f"c{k}" for k in range(values.shape[-1]))
    else:
        raise InputError(f"{name} has {values.ndim} axes and no channel axis {channel_axis}")
    shape = values.shape[:-1]
    if values.size == 0 or not shape:
        raise InputError(f"{name} has no samples along an axis: its shape is {values.shape}")
    for what, given in {"origin": origin, "step": step, "axes": axes, "units": units}.items():
        if given is not None and len(given) != len(shape):
            raise InputError(f"{what} has {len(given)} entries; {name} has {len(shape)} axes of coordinates")
    check_finite(values, name)
    low, high = value_range(values)
    domain = from_samples(shape, origin, step, axes, _own_units(units, origin, step))
    return Signal(values, Header("array", domain, shape, channels, str(values.dtype), low, high), name)


def _own_units(units: Sequence[str] | None, *given: Any) -> Sequence[str] | None:
    """Bare indices share the unit "sample"; coordinates that were given without a unit have none."""
    placed = next((each for each in given if each is not None), None)
    return units if units is not None or placed is None else ("",) * len(placed)
