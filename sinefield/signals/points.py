"""Scattered samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sinefield.domain import box
from sinefield.errors import InputError
from sinefield.signals.array import real_numbers
from sinefield.signals.signal import Header, Signal, check_finite, equivalent_shape, value_range


def from_points(
    coords: ArrayLike | Tensor,
    values: ArrayLike | Tensor,
    *,
    axes: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    name: str = "points",
) -> Signal:
    """Return scattered samples as a signal; the domain is their bounding box.

    Args:
        coords: Coordinates (n, d), or (n,) along one axis, in the user's units, in any order. Points may be repeated.
        values: Values (n,) or (n, channels). Integers are converted to float64.
        axes: Names of the axes, such as ("t", "depth").
        units: Units of the axes, such as ("s", "m"). Axes with the same unit share one scale.
        channels: Names of the channels (default: none for values (n,), else c0, c1, …).
        name: Name for messages and figures.

    Raises:
        InputError: There are fewer than two points, or different numbers of points and values; coordinates or values
            are not real numbers or hold NaN or infinity; a coordinate is constant; or a list has the wrong length.

    >>> signal = from_points([[0.0, 1.0], [2.0, 5.0], [1.0, 3.0]], [7, 8, 9], axes=("y", "x"))
    >>> signal.header.domain.lower, signal.header.domain.upper, signal.header.dtype
    ((0.0, 1.0), (2.0, 5.0), 'float64')
    """
    x, columns = _columns(coords, f"the coordinates of {name}"), _columns(values, f"the values of {name}")
    if len(x) != len(columns):
        raise InputError(f"{name} has {len(x)} points and {len(columns)} values; each point needs its values")
    if len(x) < 2:
        raise InputError(f"{name} has {len(x)} of the two or more points that are needed")
    dim, count = x.shape[1], columns.shape[1]
    names = tuple(f"c{k}" for k in range(count) if np.ndim(values) == 2) if channels is None else tuple(channels)
    axes = tuple(f"x{k}" for k in range(dim)) if axes is None else axes
    checks = (("axes", axes, dim), ("units", units, dim), ("channels", names or (name,), count))
    for argument, given, expected in checks:
        if given is not None and len(given) != expected:
            raise InputError(f"{argument} has {len(given)} entries; {name} has {dim} coordinates and {count} channels")
    x = x.astype(np.float64, copy=False)
    columns = columns if columns.dtype.kind == "f" else columns.astype(np.float64)
    check_finite(x, f"the coordinates of {name}")
    check_finite(columns, f"the values of {name}")
    lower, upper = x.min(axis=0), x.max(axis=0)
    if len(constant := np.flatnonzero(lower == upper)):
        axis = constant[0]
        raise InputError(f"all points of {name} have {axes[axis]} = {lower[axis]:g}; leave that coordinate out")
    domain = box(lower.tolist(), upper.tolist(), axes, units)
    low, high = value_range(columns)
    shape = equivalent_shape(len(x), domain)
    return Signal(columns, Header("points", domain, shape, names, str(columns.dtype), low, high), name, x)


def to_seconds(times: NDArray[Any]) -> NDArray[np.float64]:
    """Convert NumPy times to seconds since 1970, and durations to seconds; missing values become NaN."""
    durations = times - np.datetime64(0, "s") if times.dtype.kind == "M" else times
    return np.asarray(durations / np.timedelta64(1, "s"), np.float64)


def _columns(values: ArrayLike | Tensor, name: str) -> NDArray[Any]:
    """Real numbers (n,) or (n, c) as an array (n, c)."""
    array = real_numbers(values, name)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(f"{name} have the shape {np.shape(values)}; (n,) or (n, columns) is needed")
    return array
