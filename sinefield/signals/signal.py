"""Measured data on a regular grid of coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain
from sinefield.errors import InputError

KINDS = ("image", "array")

MAX_SAMPLES = 1_000_000_000
"""Larger grids are refused before memory is taken for them."""


@dataclass(frozen=True)
class Header:
    """All of a signal but its samples: what a field needs to give back data of the kind that went in.

    Attributes:
        kind: "image" or "array".
        domain: the box that the samples' cells fill, in the user's units.
        shape: samples along each axis, in the order of the domain's axes.
        channels: the channels' names, such as ("R", "G", "B"); empty for a signal without a channel axis.
        dtype: numpy's name of the samples' type.
        low, high: the values that go to -1 and 1, per channel.
    """

    kind: str
    domain: Domain
    shape: tuple[int, ...]
    channels: tuple[str, ...]
    dtype: str
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"a signal is one of {', '.join(KINDS)}; found {self.kind!r}")
        if len(self.shape) != self.domain.dim or not all(isinstance(n, int) and n > 0 for n in self.shape):
            raise InputError(f"the shape {self.shape} does not go with the {self.domain.dim} axes of the domain")
        if not isinstance(self.channels, tuple) or not all(isinstance(name, str) for name in self.channels):
            raise InputError("the channels of a signal are a tuple of names")
        if not len(self.low) == len(self.high) == self.out_dim:
            raise InputError(f"{self.out_dim} channels need as many values for -1 and for 1")
        if not all(low < high and math.isfinite(high - low) for low, high in self.range):
            raise InputError("the value range of each channel must be two finite numbers in order")
        try:
            kind = np.dtype(self.dtype).kind
        except TypeError as error:
            raise InputError(f"unknown sample type {self.dtype!r}") from error
        if kind not in "buif":
            raise InputError(f"samples of type {self.dtype!r} are not real numbers")

    @property
    def out_dim(self) -> int:
        return max(len(self.channels), 1)

    @property
    def size(self) -> int:
        """The number of samples."""
        return math.prod(self.shape)

    @property
    def step(self) -> tuple[float, ...]:
        """The distance between neighbouring samples, per axis."""
        extent = zip(self.domain.lower, self.domain.upper, self.shape, strict=True)
        return tuple((high - low) / n for low, high, n in extent)

    @property
    def range(self) -> list[tuple[float, float]]:
        return list(zip(self.low, self.high, strict=True))

    @property
    def middle(self) -> NDArray[np.float64]:
        """The value that goes to 0, per channel."""
        return np.add(self.low, self.high, dtype=np.float64) / 2

    @property
    def half_range(self) -> NDArray[np.float64]:
        """The difference in value that goes to 1, per channel."""
        return np.subtract(self.high, self.low, dtype=np.float64) / 2

    @property
    def clips(self) -> bool:
        """Whether the samples' type has a smallest and a largest value."""
        return np.dtype(self.dtype).kind != "f"

    def clip(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (…, channels) limited to what the samples' type can hold; floats are left alone."""
        return np.clip(values, self.low, self.high) if self.clips else values

    def quantise(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (…, channels) in the samples' own type, without the channel axis where the signal has none."""
        values = self.clip(values)
        if np.dtype(self.dtype).kind != "f":
            values = np.clip(np.rint(values), *_limits(np.dtype(self.dtype)))
        samples = values.astype(self.dtype)
        return samples if self.channels else samples[..., 0]


@dataclass(frozen=True)
class Signal:
    """Samples on a regular grid, and their header.

    Attributes:
        values: (*shape, channels), in the type they came in.
        name: where they came from, for messages and figures.
    """

    values: NDArray[Any]
    header: Header
    name: str = "array"

    def __post_init__(self) -> None:
        if self.values.shape != (*self.header.shape, self.header.out_dim):
            raise InputError(
                f"values of shape {self.values.shape} do not go with the shape {self.header.shape} "
                f"and {self.header.out_dim} channels"
            )

    @property
    def samples(self) -> NDArray[Any]:
        """The values as they came in: without the channel axis where there is none."""
        return self.values if self.header.channels else self.values[..., 0]


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The smallest and the largest float that an integer type, or bool, can hold."""
    if dtype.kind == "b":
        return 0.0, 1.0
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return low, high if int(high) <= np.iinfo(dtype).max else float(np.nextafter(high, 0))


def check_finite(values: NDArray[Any], name: str) -> None:
    """Raise InputError if any value is NaN or infinite, naming how many and the first."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    bad = ~np.isfinite(values)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    raise InputError(
        f"{name} holds {int(bad.sum())} NaN or infinite of {values.size} values, the first at index {first}; "
        "replace them, or fit the part without them"
    )


def value_range(values: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The smallest and largest value of each channel of (…, channels), widened where a channel is constant."""
    axes = tuple(range(values.ndim - 1))
    low, high = values.min(axis=axes).astype(float), values.max(axis=axes).astype(float)
    flat = high - low <= 1e-12 * np.maximum(abs(low), abs(high))
    half = np.where(flat, np.maximum(abs(low) * 1e-3, 1.0), 0.0)
    return tuple((low - half).tolist()), tuple((high + half).tolist())


def parse_shape(size: int | Sequence[int], header: Header) -> tuple[int, ...]:
    """The grid that a size asks for: the longest side (the others in proportion), or one number for each axis.

    Raises:
        InputError: for a size that is not positive or has the wrong number of axes.
    """
    if isinstance(size, int | np.integer) and 0 < size <= MAX_SAMPLES:
        extents = [high - low for low, high in zip(header.domain.lower, header.domain.upper, strict=True)]
        if len(set(header.domain.units)) > 1:
            extents = [float(n) for n in header.shape]
        shape = tuple(max(round(size * extent / max(extents)), 1) for extent in extents)
    else:
        shape = () if isinstance(size, int | np.integer | float) else tuple(size)
    if len(shape) != len(header.shape) or any(n < 1 for n in shape):
        raise InputError(
            f"size {size} does not fit the {len(header.shape)} axes {', '.join(header.domain.axes)}; "
            f"use positive numbers, of at most {MAX_SAMPLES:,} samples in all"
        )
    return check_shape(shape)


def check_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape itself, or InputError if it has more samples than are held at once."""
    if math.prod(shape) > MAX_SAMPLES:
        raise InputError(
            f"{' × '.join(map(str, shape))} are more than the {MAX_SAMPLES / 1e6:,.0f} million samples that are held "
            "at once; take a smaller size, or parts of it with a crop"
        )
    return shape
