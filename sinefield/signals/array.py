"""N-dimensional arrays: as signals, and in NumPy files."""

from __future__ import annotations

import io
import itertools
import math
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.files import atomic, check_input
from sinefield.signals import scratch
from sinefield.signals.formats import Format, register
from sinefield.signals.signal import Header, Signal, check_finite, value_range

ARRAY_SUFFIXES = (".npy", ".npz")
"""Suffixes of NumPy files."""

_BLOCK_SIZE = 2**24


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
    """Return an array as a signal on a regular grid: sample i of axis k is at originₖ + i · stepₖ.

    Args:
        values: Array of real numbers of any dimension. It is not copied and may be memory-mapped.
        channel_axis: Axis that holds channels and not coordinates (default: none).
        origin: Coordinate of the first sample along each axis (default: 0).
        step: Distance between samples along each axis (default: 1).
        axes: Names of the axes, such as ("t", "depth").
        units: Units of the axes, such as ("s", "m"). Axes with the same unit share one scale.
        name: Name for messages and figures.

    Raises:
        InputError: There are no samples, the values are not real numbers or hold NaN or infinity, or a list has the
            wrong length.

    >>> signal = from_array([[0.0, 1.0, 4.0]], step=(1.0, 0.5), axes=("y", "x"), units=("m", "m"))
    >>> signal.header.shape, signal.header.domain.upper, signal.header.high
    ((1, 3), (0.5, 1.25), (4.0,))
    """
    values = real_numbers(values, name)
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
    for argument, given in {"origin": origin, "step": step, "axes": axes, "units": units}.items():
        if given is not None and len(given) != len(shape):
            raise InputError(f"{argument} has {len(given)} entries; {name} has {len(shape)} axes of coordinates")
    check_finite(values, name)
    low, high = value_range(values)
    domain = from_samples(shape, origin, step, axes, _default_units(units, origin, step))
    return Signal(values, Header("array", domain, shape, channels, values.dtype.name, low, high), name)


def real_numbers(values: ArrayLike | Tensor, name: str) -> NDArray[Any]:
    """Convert array-like values to an array of real numbers of a type that NumPy and PyTorch share.

    Args:
        values: Array, nested sequence, or tensor.
        name: Name of the values in error messages.

    Raises:
        InputError: Values are masked, rows have different lengths, or the values are not real numbers.
    """
    if np.ma.is_masked(values):
        raise InputError(f"{name}: some values are masked; fill them, or fit the part without them")
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: not a regular array of numbers: {one_line(error)}") from error
    if array.dtype.kind not in "buif":
        raise InputError(f"{name}: {array.dtype} values; real numbers are needed")
    return array.astype(np.float64) if array.dtype == np.longdouble else array


def read_array(path: str | Path, *, channel_axis: int | None = None, key: str | None = None) -> Signal:
    """Read an array from a NumPy file (.npy or .npz) as a signal over its indices.

    A large array stays on disk, memory-mapped: a .npy in the file itself, an array of an .npz in a temporary file.

    Args:
        path: Path of the file.
        channel_axis: Axis that holds channels and not coordinates (default: none).
        key: Name of the array in an .npz file; not needed if there is only one.

    Raises:
        InputError: The file is missing or damaged, holds Python objects or no such array, or `from_array` rejects it.
    """
    path = check_input(Path(path))
    try:
        packed = zipfile.is_zipfile(path)
        if key is not None and not packed:
            raise InputError(f"{path} is a single array without a name; leave key out")
        values = _unpacked(path, key) if packed else _mapped(path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # decoders raise many types of errors for damaged files
        raise InputError(f"{path} is damaged, or no array: {one_line(error)}") from error
    return from_array(values, channel_axis=channel_axis, name=path.stem)


def write_array(path: Path, chunks: Iterator[NDArray[Any]], shape: Sequence[int]) -> None:
    """Write consecutive chunks of an array as .npy.

    Args:
        path: Path of the file.
        chunks: Rows (n, …) of the array in row-major order.
        shape: Shape of the grid; the array is (*shape, …).

    Raises:
        InputError: The path cannot be written, or its disk is too small.
    """
    first = next(chunks)
    header = {"descr": npy.dtype_to_descr(first.dtype), "fortran_order": False, "shape": (*shape, *first.shape[1:])}
    with atomic(path) as temporary, temporary.open("wb") as file:
        scratch.check_room(math.prod(shape) * first[0].nbytes, path.name, path.parent)
        npy.write_array_header_1_0(file, header)
        for chunk in itertools.chain([first], chunks):
            file.write(np.ascontiguousarray(chunk).data)


def check_array(path: Path, header: Header) -> None:
    """Raise InputError unless the path ends in .npy."""
    if path.suffix.lower() != ".npy":
        raise InputError(f"{path.name}: arrays are written as .npy")


def _mapped(path: Path) -> NDArray[Any]:
    """The array of an .npy file, memory-mapped if it is large."""
    with path.open("rb") as file:
        shape, *_ = _npy_header(path, file)
    return np.asarray(np.load(path, mmap_mode="r" if math.prod(shape) > scratch.LARGE else None))


def _unpacked(path: Path, key: str | None) -> NDArray[Any]:
    """An array of an .npz file, decompressed in blocks."""
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if (key is None and len(names) != 1) or (key is not None and key not in names):
            raise InputError(
                f"{path} holds the arrays {', '.join(names) or 'none'}; choose one by key"
                if key is None
                else f"{path} has no array {key!r}; it holds {', '.join(names)}"
            )
        with archive.open(f"{key or names[0]}.npy") as member:
            shape, fortran, dtype = _npy_header(path, cast(io.BufferedIOBase, member))
            size = math.prod(shape)
            blocks = (np.frombuffer(block, dtype) for block in iter(partial(member.read, _BLOCK_SIZE), b""))
            if size > scratch.LARGE:
                scratch.check_room(size * dtype.itemsize, path.name)
                values = scratch.spill_to_disk(blocks, path.name)
            else:
                values = np.concatenate([np.empty(0, dtype), *blocks])
    if len(values) != size:
        raise InputError(f"{path} is cut short: it has {len(values)} of {size} values")
    return values.reshape(shape, order="F" if fortran else "C")


def _npy_header(path: Path, file: io.BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the order is Fortran's, and data type of the array that follows in an open .npy file."""
    version = npy.read_magic(file)
    shape, fortran, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise InputError(f"{path} holds pickled objects, which are not loaded; save it as an array of numbers")
    if dtype.kind not in "buif":
        raise InputError(f"{path} holds {one_line(dtype, 40)} values; real numbers are needed")
    return shape, fortran, dtype


def _default_units(units: Sequence[str] | None, *coordinates: Sequence[float] | None) -> Sequence[str] | None:
    """The units, if given; no units if an origin or a step is given; else None, which stands for samples."""
    placed = next((each for each in coordinates if each is not None), None)
    return units if units is not None or placed is None else ("",) * len(placed)


register(
    Format(
        "array",
        ARRAY_SUFFIXES,
        read_array,
        options=("channel_axis", "key"),
        writer=lambda path, chunks, shape, rate, header: write_array(path, chunks, shape),
        check=check_array,
        numbers=lambda path: path.suffix.lower() == ".npy",
    )
)
