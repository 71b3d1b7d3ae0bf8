"""Measured data on coordinates: on a regular grid, or scattered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain, box
from sinefield.errors import InputError

KINDS = ("image", "array", "audio", "video", "points", "shape")

Crop = Sequence[tuple[float | None, float | None]]
"""For each axis, from which coordinate up to but not including which; None for the end."""

MAX_SAMPLES, LONGEST = 1_000_000_000, 2**40
"""Larger grids are not held in memory, and longer axes are a slip of the pen."""


@dataclass(frozen=True)
class Header:
    """All of a signal but its samples: what a field needs to give back data of the kind that went in.

    Attributes:
        kind: one of `KINDS`.
        domain: the box that the samples' cells fill, in the user's units.
        shape: samples along each axis, in the order of the domain's axes; of scattered samples, the grid that they
            would fill.
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

    def quantize(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (…, channels) in the samples' own type, without the channel axis where the signal has none."""
        values = self.clip(values)
        if np.dtype(self.dtype).kind != "f":
            values = np.clip(np.rint(values), *_limits(np.dtype(self.dtype)))
        samples = values.astype(self.dtype)
        return samples if self.channels else samples[..., 0]


@dataclass(frozen=True)
class Signal:
    """Samples and their header.

    Attributes:
        values: (*shape, channels), or (n, channels) where they are scattered, in the type they came in. They may lie on
            disk, as a memory-mapped array does, and are read where they are needed.
        name: where they came from, for messages and figures.
        places: the coordinates of scattered samples (n, d); None for a regular grid.
    """

    values: NDArray[Any]
    header: Header
    name: str = "array"
    coords: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shape = self.header.shape if self.coords is None else (len(self.coords),)
        if self.values.shape != (*shape, self.header.out_dim):
            raise InputError(
                f"values of shape {self.values.shape} do not go with the shape {shape} "
                f"and {self.header.out_dim} channels"
            )

    @property
    def size(self) -> int:
        """The number of samples."""
        return math.prod(self.values.shape[:-1])

    @property
    def samples(self) -> NDArray[Any]:
        """The values as they came in: without the channel axis where there is none."""
        return self.values if self.header.channels else self.values[..., 0]

    def at(self, index: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """The coordinates (n, d) and the values (n, channels) of the samples with these flat indices."""
        if self.coords is not None:
            return self.coords[index], self.values[index]
        position = np.unravel_index(index, self.header.shape)
        lower, step = np.asarray(self.header.domain.lower), np.asarray(self.header.step)
        return lower + (np.stack(position, axis=-1) + 0.5) * step, self.values[position]


def crop(signal: Signal, ranges: Crop) -> Signal:
    """The part of a signal whose samples lie in a box; its coordinates stay what they are.

    Raises:
        InputError: a crop that is empty, outside the signal, or of another number of axes, or of a shape.
    """
    header = signal.header
    if header.kind == "shape":
        raise InputError(f"{signal.name} is a shape, which is fitted whole; a crop is for other signals")
    if signal.coords is None:
        parts = crop_cells(header, ranges)
        lower, upper = crop_bounds(header, parts)
        shape = tuple(part.stop - part.start for part in parts)
        domain = box(lower, upper, header.domain.axes, header.domain.units)
        return replace(signal, values=signal.values[parts], header=replace(header, domain=domain, shape=shape))
    check_crop(header.domain, ranges)
    bounds = [
        (low if start is None else start, math.nextafter(high, math.inf) if stop is None else stop)
        for (start, stop), low, high in zip(ranges, header.domain.lower, header.domain.upper, strict=True)
    ]
    inside = np.all([(x >= a) & (x < b) for x, (a, b) in zip(signal.coords.T, bounds, strict=True)], axis=0)
    if not inside.any():
        raise InputError(f"no sample of {signal.name} lies in the crop")
    lower, upper = signal.coords[inside].min(axis=0), signal.coords[inside].max(axis=0)
    domain = box(tuple(lower.tolist()), tuple(upper.tolist()), header.domain.axes, header.domain.units)
    shape = equivalent_shape(int(inside.sum()), domain)
    return replace(
        signal,
        values=signal.values[inside],
        coords=signal.coords[inside],
        header=replace(header, domain=domain, shape=shape),
    )


def equivalent_shape(count: int, domain: Domain) -> tuple[int, ...]:
    """The grid of about `count` cells, square where axes share a unit, that so many scattered samples would fill."""
    extent = np.subtract(domain.upper, domain.lower) / domain.half_extent
    side = (count / np.prod(extent)) ** (1 / domain.dim)
    return tuple(max(round(float(side * length)), 1) for length in extent)


def check_crop(domain: Domain, crop: Crop) -> None:
    """Raise InputError unless a crop has one range for each axis."""
    if len(crop) != domain.dim:
        raise InputError(f"crop has {len(crop)} ranges; here there are the axes {', '.join(domain.axes)}")


def crop_cells(header: Header, crop: Crop) -> tuple[slice, ...]:
    """The samples whose centre is at or after the start of a range and before its stop, along each axis.

    Raises:
        InputError: an empty crop, one outside the domain, or of another number of axes.
    """
    check_crop(header.domain, crop)
    return tuple(
        _cells(*each)
        for each in zip(header.domain.axes, crop, header.domain.lower, header.step, header.shape, strict=True)
    )


def crop_bounds(header: Header, parts: Sequence[slice]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The corners of the box that some cells of the grid fill."""
    coords = list(zip(header.domain.lower, header.step, parts, strict=True))
    lower = tuple(low + part.start * step for low, step, part in coords)
    return lower, tuple(low + part.stop * step for low, step, part in coords)


def _cells(axis: str, crop: tuple[float | None, float | None], lower: float, step: float, count: int) -> slice:
    # the first sample at or after a coordinate; a coordinate that is one, but for rounding, is that sample's
    first, last = (
        default if bound is None or math.isnan(bound) else math.ceil((bound - lower) / step - 0.5 - 1e-6)
        for bound, default in zip(crop, (0, count), strict=True)
    )
    if not 0 <= first < last <= count:
        raise InputError(
            f"crop {crop[0]}:{crop[1]} is empty or outside axis {axis!r}, "
            f"which goes from {lower + step / 2:g} up to {lower + (count - 0.5) * step:g}"
        )
    return slice(first, last)


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The smallest and the largest float that an integer type, or bool, can hold."""
    if dtype.kind == "b":
        return 0.0, 1.0
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return low, high if int(high) <= np.iinfo(dtype).max else float(np.nextafter(high, 0))


def iter_chunks(values: NDArray[Any], most: int = 2**24) -> Iterator[tuple[int, NDArray[Any]]]:
    """Consecutive parts along the first axis, of about so many numbers at most, with where they begin."""
    rows = max(len(values) * most // max(values.size, 1), 1)
    for start in range(0, len(values), rows):
        yield start, values[start : start + rows]


def check_finite(values: NDArray[Any], name: str) -> None:
    """Raise InputError if any value is NaN or infinite, naming how many and the first."""
    if values.dtype.kind != "f":
        return
    bad, first = 0, None
    for start, part in iter_chunks(values):
        if not np.isfinite(part).all():
            wrong = np.argwhere(~np.isfinite(part))
            bad += len(wrong)
            if first is None:
                first = (start + int(wrong[0][0]), *(int(i) for i in wrong[0][1:]))
    if first is not None:
        raise InputError(
            f"{name} holds {bad} NaN or infinite of {values.size} values, the first at index {first}; "
            "replace them, or fit the part without them"
        )


def value_range(values: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The smallest and largest value of each channel of (…, channels), widened where a channel is constant."""
    axes = tuple(range(values.ndim - 1))
    extremes = [(part.min(axis=axes), part.max(axis=axes)) for _, part in iter_chunks(values)]
    low = np.min([least for least, _ in extremes], axis=0).astype(float)
    high = np.max([most for _, most in extremes], axis=0).astype(float)
    flat = high - low <= 1e-12 * np.maximum(abs(low), abs(high))
    half = np.where(flat, np.maximum(abs(low) * 1e-3, 1.0), 0.0)
    return tuple((low - half).tolist()), tuple((high + half).tolist())


def parse_shape(size: int | Sequence[int], header: Header) -> tuple[int, ...]:
    """The grid that a size asks for: the longest side (the others in proportion), or one number for each axis.

    Raises:
        InputError: for a size that is not positive or has the wrong number of axes.
    """
    if isinstance(size, int | np.integer) and 0 < size <= LONGEST:
        extents = [high - low for low, high in zip(header.domain.lower, header.domain.upper, strict=True)]
        if len(set(header.domain.units)) > 1:
            extents = [float(n) for n in header.shape]
        shape = tuple(max(round(size * extent / max(extents)), 1) for extent in extents)
    else:
        shape = () if isinstance(size, int | np.integer | float) else tuple(size)
    if len(shape) != len(header.shape) or any(not 1 <= n <= LONGEST for n in shape):
        raise InputError(
            f"size {size} does not fit the {len(header.shape)} axes {', '.join(header.domain.axes)}; "
            "use positive numbers, one for each axis or one for the longest"
        )
    return shape


def check_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape itself, or InputError if it has more samples than are held at once."""
    if math.prod(shape) > MAX_SAMPLES:
        raise InputError(
            f"{' × '.join(map(str, shape))} are more than the {MAX_SAMPLES / 1e6:,.0f} million samples that are held "
            "at once; take a smaller size, or parts of it with a crop, or write it to .npy or .tif piece by piece"
        )
    return shape
