"""Scattered samples: from arrays, and from and to tables."""

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
    """Samples at any places, in any order; their domain is the box around them.

    Args:
        places: coordinates (n, d), or (n,) along one axis, in the user's units; a place may come more than once.
        values: (n,) or (n, channels). Integers become float64.
        axes, units: names such as ("t", "depth") and ("s", "m"). Axes of one unit share one scale.
        channels: the channels' names; none for values (n,), c0, c1, … for (n, channels) unless given.
        name: for messages and figures.

    Raises:
        InputError: fewer than two places, as many values as there are not places, values that are not real numbers,
            NaN or infinity, an axis along which nothing varies, or lists of the wrong length.

    >>> signal = from_points([[0.0, 1.0], [2.0, 5.0], [1.0, 3.0]], [7, 8, 9], axes=("y", "x"))
    >>> signal.header.domain.lower, signal.header.domain.upper, signal.header.dtype
    ((0.0, 1.0), (2.0, 5.0), 'float64')
    """
    at, found = _columns(coords, f"the places of {name}"), _columns(values, f"the values of {name}")
    if len(at) != len(found):
        raise InputError(f"{name} has {len(at)} places and {len(found)} values; each place needs its values")
    if len(at) < 2:
        raise InputError(f"{name} has {len(at)} of the two or more points that are needed")
    dim, count = at.shape[1], found.shape[1]
    names = tuple(f"c{k}" for k in range(count) if np.ndim(values) == 2) if channels is None else tuple(channels)
    axes = tuple(f"x{k}" for k in range(dim)) if axes is None else axes
    for what, given, many in (("axes", axes, dim), ("units", units, dim), ("channels", names or (name,), count)):
        if given is not None and len(given) != many:
            raise InputError(f"{what} has {len(given)} entries; {name} has {dim} coordinates and {count} channels")
    at = at.astype(np.float64, copy=False)
    found = found if found.dtype.kind == "f" else found.astype(np.float64)
    check_finite(at, f"the places of {name}")
    check_finite(found, f"the values of {name}")
    lower, upper = at.min(axis=0), at.max(axis=0)
    if len(flat := np.flatnonzero(lower == upper)):
        raise InputError(f"all places of {name} have {axes[flat[0]]} = {lower[flat[0]]:g}; leave that coordinate out")
    domain = box(lower.tolist(), upper.tolist(), axes, units)
    low, high = value_range(found)
    shape = equivalent_shape(len(at), domain)
    return Signal(found, Header("points", domain, shape, names, str(found.dtype), low, high), name, at)


def seconds(times: NDArray[Any]) -> NDArray[np.float64]:
    """numpy's times as seconds since 1970, or its durations as seconds; NaN for those that are missing."""
    since = times - np.datetime64(0, "s") if times.dtype.kind == "M" else times
    return np.asarray(since / np.timedelta64(1, "s"), np.float64)


def _columns(values: ArrayLike | Tensor, name: str) -> NDArray[Any]:
    """Real numbers (n,) or (n, c) as (n, c)."""
    array = real_numbers(values, name)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(f"{name} have the shape {np.shape(values)}; (n,) or (n, columns) is needed")
    return array
