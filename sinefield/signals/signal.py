"""Measured data on a regular grid or at scattered points."""

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
"""The kinds of signals; they are stored in field files."""

MAX_SAMPLES = 1_000_000_000
"""Largest number of samples that are held in memory at once."""

LONGEST = 2**40
"""Largest number of samples along an axis; a larger number is assumed to be a typing error."""

CHUNK_SIZE = 2**24
"""Approximate number of values that are processed at once."""

Crop = Sequence[tuple[float | None, float | None]]
"""Range (start, stop) of coordinates along each axis, without stop; None stands for the end of the axis."""


@dataclass(frozen=True)
class Header:
    """Metadata of a signal: what a field needs to return data of the same kind.

    Attributes:
        kind: One of `KINDS`.
        domain: Box that the cells of the samples fill, in the user's units.
        shape: Number of samples along each axis of the domain; for scattered samples, a grid of about as many cells.
        channels: Names of the channels, such as ("R", "G", "B"); empty for a signal without a channel axis.
        dtype: NumPy name of the data type of the samples.
        low: Value of each channel that is mapped to -1.
        high: Value of each channel that is mapped to 1.
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
            raise InputError(f"unknown kind of signal {self.kind!r}; choose from {', '.join(KINDS)}")
        if len(self.shape) != self.domain.dim or not all(isinstance(n, int) and n > 0 for n in self.shape):
            raise InputError(f"the shape {self.shape} must have one positive size for each axis {self.domain.axes}")
        if not isinstance(self.channels, tuple) or not all(isinstance(name, str) for name in self.channels):
            raise InputError(f"the channels of a signal must be a tuple of names; found {self.channels!r}")
        if not len(self.low) == len(self.high) == self.out_dim:
            raise InputError(f"low and high must have one value for each of the {self.out_dim} channels")
        if not all(low < high and math.isfinite(high - low) for low, high in self.range):
            raise InputError("the value range of each channel must be two finite numbers, low < high")
        try:
            kind = np.dtype(self.dtype).kind
        except TypeError as error:
            raise InputError(f"unknown data type {self.dtype!r}") from error
        if kind not in "buif":
            raise InputError(f"samples of type {self.dtype!r} are not real numbers")

    @property
    def out_dim(self) -> int:
        """Number of channels; 1 for a signal without a channel axis."""
        return max(len(self.channels), 1)

    @property
    def step(self) -> tuple[float, ...]:
        """Distance between neighboring samples along each axis."""
        extent = zip(self.domain.lower, self.domain.upper, self.shape, strict=True)
        return tuple((high - low) / n for low, high, n in extent)

    @property
    def range(self) -> list[tuple[float, float]]:
        """Values (low, high) of each channel that are mapped to -1 and 1."""
        return list(zip(self.low, self.high, strict=True))

    @property
    def middle(self) -> NDArray[np.float64]:
        """Value of each channel that is mapped to 0."""
        return np.add(self.low, self.high, dtype=np.float64) / 2

    @property
    def half_range(self) -> NDArray[np.float64]:
        """Difference in value of each channel that is mapped to a difference of 1."""
        return np.subtract(self.high, self.low, dtype=np.float64) / 2

    @property
    def clips(self) -> bool:
        """Whether the data type has a smallest and a largest value."""
        return np.dtype(self.dtype).kind != "f"

    def clip(self, values: NDArray[Any]) -> NDArray[Any]:
        """Limit values (…, channels) to the range of the data type; floating-point types have no limits."""
        return np.clip(values, self.low, self.high) if self.clips else values

    def quantize(self, values: NDArray[Any]) -> NDArray[Any]:
        """Convert values (…, channels) to the data type; a signal without channels loses the channel axis."""
        values = self.clip(values)
        if np.dtype(self.dtype).kind != "f":
            values = np.clip(np.rint(values), *_limits(np.dtype(self.dtype)))
        samples = values.astype(self.dtype)
        return samples if self.channels else samples[..., 0]


@dataclass(frozen=True)
class Signal:
    """Samples and their metadata.

    Attributes:
        values: Array (*shape, channels), or (n, channels) for scattered samples, in its original data type. It may be
            memory-mapped: values are read from disk when they are needed.
        header: Metadata of the samples.
        name: Name for messages and figures.
        coords: Coordinates (n, d) of scattered samples; None for a regular grid.
    """

    values: NDArray[Any]
    header: Header
    name: str = "array"
    coords: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shape = self.header.shape if self.coords is None else (len(self.coords),)
        expected = (*shape, self.header.out_dim)
        if self.values.shape != expected:
            raise InputError(f"the values have the shape {self.values.shape}; expected {expected}")

    @property
    def size(self) -> int:
        """Number of samples."""
        return math.prod(self.values.shape[:-1])

    @property
    def samples(self) -> NDArray[Any]:
        """Values without the channel axis if the signal has no channels, else with it."""
        return self.values if self.header.channels else self.values[..., 0]

    def at(self, index: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return the coordinates (n, d) and the values (n, channels) of the samples with flat indices (n,)."""
        if self.coords is not None:
            return self.coords[index], self.values[index]
        position = np.unravel_index(index, self.header.shape)
        lower, step = np.asarray(self.header.domain.lower), np.asarray(self.header.step)
        return lower + (np.stack(position, axis=-1) + 0.5) * step, self.values[position]


def crop(signal: Signal, ranges: Crop) -> Signal:
    """Return the samples in a box, at the coordinates that they have in the signal.

    Args:
        signal: Signal on a grid or at scattered points.
        ranges: Range (start, stop) along each axis; samples at start are kept, samples at stop are not.

    Raises:
        InputError: The box is empty or outside the signal, the number of ranges differs from the number of axes, or
            the signal is a shape.
    """
    header = signal.header
    if header.kind == "shape":
        raise InputError(f"{signal.name} is a shape, which is fitted whole; a crop applies to other signals")
    if signal.coords is not None:
        return _crop_points(signal, signal.coords, ranges)
    cells = crop_cells(header, ranges)
    lower, upper = crop_bounds(header, cells)
    shape = tuple(part.stop - part.start for part in cells)
    domain = box(lower, upper, header.domain.axes, header.domain.units)
    return replace(signal, values=signal.values[cells], header=replace(header, domain=domain, shape=shape))


def check_crop(domain: Domain, ranges: Crop) -> None:
    """Raise InputError unless a crop has one range for each axis."""
    if len(ranges) != domain.dim:
        raise InputError(f"crop has {len(ranges)} ranges; it needs one for each axis: {', '.join(domain.axes)}")


def crop_cells(header: Header, ranges: Crop) -> tuple[slice, ...]:
    """Return the slice of the samples in a crop, along each axis of a grid.

    Raises:
        InputError: The crop is empty or outside the domain, or the number of ranges differs from the number of axes.
    """
    check_crop(header.domain, ranges)
    return tuple(
        _cells(*each)
        for each in zip(header.domain.axes, ranges, header.domain.lower, header.step, header.shape, strict=True)
    )


def crop_bounds(header: Header, cells: Sequence[slice]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the lower and the upper corner of the box that cells of a grid fill, from a slice for each axis."""
    edges = list(zip(header.domain.lower, header.step, cells, strict=True))
    lower = tuple(low + part.start * step for low, step, part in edges)
    return lower, tuple(low + part.stop * step for low, step, part in edges)


def equivalent_shape(count: int, domain: Domain) -> tuple[int, ...]:
    """Return the shape of a grid with about `count` cells, which are square along axes of the same unit.

    It is the shape in the header of `count` scattered samples.
    """
    extent = np.subtract(domain.upper, domain.lower) / domain.half_extent
    side = (count / np.prod(extent)) ** (1 / domain.dim)
    return tuple(max(round(float(side * length)), 1) for length in extent)


def parse_shape(size: int | Sequence[int], header: Header) -> tuple[int, ...]:
    """Return the shape of a grid from the number of samples along its longest side or along each axis.

    Args:
        size: Samples along the longest side, the others in proportion; or a number for each axis.
        header: Header of the signal.

    Raises:
        InputError: The size is not positive, or the number of sizes differs from the number of axes.
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
    """Return the shape.

    Raises:
        InputError: The grid has more than `MAX_SAMPLES` samples.
    """
    if math.prod(shape) > MAX_SAMPLES:
        grid = " × ".join(map(str, shape))
        raise InputError(
            f"{grid} are more than the {MAX_SAMPLES / 1e6:,.0f} million samples that fit in memory; "
            "use a smaller size or a crop, or write to .npy or .tif piece by piece"
        )
    return shape


def iter_chunks(values: NDArray[Any], size: int = CHUNK_SIZE) -> Iterator[tuple[int, NDArray[Any]]]:
    """Iterate over consecutive chunks of an array along its first axis.

    Args:
        values: Array of any shape.
        size: Approximate number of values in a chunk.

    Yields:
        Index of the first row of a chunk, and the chunk.
    """
    rows = max(len(values) * size // max(values.size, 1), 1)
    for start in range(0, len(values), rows):
        yield start, values[start : start + rows]


def check_finite(values: NDArray[Any], name: str) -> None:
    """Raise InputError if any value is NaN or infinite; the message has their number and the index of the first."""
    if values.dtype.kind != "f":
        return
    count, first = 0, None
    for start, chunk in iter_chunks(values):
        if not np.isfinite(chunk).all():
            indices = np.argwhere(~np.isfinite(chunk))
            count += len(indices)
            if first is None:
                first = (start + int(indices[0][0]), *(int(i) for i in indices[0][1:]))
    if first is not None:
        raise InputError(
            f"{name}: {count} NaN or infinite of {values.size} values, the first at index {first}; "
            "replace them, or fit a part without them"
        )


def value_range(values: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the smallest and the largest value of each channel of (…, channels), widened for constant channels."""
    axes = tuple(range(values.ndim - 1))
    extremes = [(chunk.min(axis=axes), chunk.max(axis=axes)) for _, chunk in iter_chunks(values)]
    low = np.min([smallest for smallest, _ in extremes], axis=0).astype(float)
    high = np.max([largest for _, largest in extremes], axis=0).astype(float)
    constant = high - low <= 1e-12 * np.maximum(abs(low), abs(high))
    margin = np.where(constant, np.maximum(abs(low) * 1e-3, 1.0), 0.0)
    return tuple((low - margin).tolist()), tuple((high + margin).tolist())


def _crop_points(signal: Signal, coords: NDArray[np.float64], ranges: Crop) -> Signal:
    """The scattered samples in a box; the domain becomes the bounding box of the remaining samples."""
    header = signal.header
    check_crop(header.domain, ranges)
    bounds = [
        (low if start is None else start, math.nextafter(high, math.inf) if stop is None else stop)
        for (start, stop), low, high in zip(ranges, header.domain.lower, header.domain.upper, strict=True)
    ]
    inside = np.all([(x >= a) & (x < b) for x, (a, b) in zip(coords.T, bounds, strict=True)], axis=0)
    if not inside.any():
        raise InputError(f"no sample of {signal.name} lies in the crop")
    coords = coords[inside]
    lower, upper = coords.min(axis=0), coords.max(axis=0)
    domain = box(tuple(lower.tolist()), tuple(upper.tolist()), header.domain.axes, header.domain.units)
    header = replace(header, domain=domain, shape=equivalent_shape(len(coords), domain))
    return replace(signal, values=signal.values[inside], coords=coords, header=header)


def _cells(axis: str, bounds: tuple[float | None, float | None], lower: float, step: float, count: int) -> slice:
    """The samples of one axis whose centers lie in a range."""
    # the tolerance takes a bound that equals the coordinate of a sample, up to rounding, as that sample
    first, last = (
        default if bound is None or math.isnan(bound) else math.ceil((bound - lower) / step - 0.5 - 1e-6)
        for bound, default in zip(bounds, (0, count), strict=True)
    )
    if not 0 <= first < last <= count:
        raise InputError(
            f"crop {bounds[0]}:{bounds[1]} is empty or outside axis {axis!r}, "
            f"whose samples are from {lower + step / 2:g} to {lower + (count - 0.5) * step:g}"
        )
    return slice(first, last)


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The smallest and the largest float that an integer or Boolean type can hold."""
    if dtype.kind == "b":
        return 0.0, 1.0
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return low, high if int(high) <= np.iinfo(dtype).max else float(np.nextafter(high, 0))
