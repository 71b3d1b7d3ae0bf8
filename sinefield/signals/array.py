"""Any N-dimensional array as a signal, and as a file of NumPy's."""

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
from sinefield.signals.signal import Header, Signal, check_finite, value_range

ARRAY_SUFFIXES = (".npy", ".npz")
_BLOCK = 2**24


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
        values: an array of real numbers of any dimension; it is not copied, and may be memory-mapped.
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
    for what, given in {"origin": origin, "step": step, "axes": axes, "units": units}.items():
        if given is not None and len(given) != len(shape):
            raise InputError(f"{what} has {len(given)} entries; {name} has {len(shape)} axes of coordinates")
    check_finite(values, name)
    low, high = value_range(values)
    domain = from_samples(shape, origin, step, axes, _own_units(units, origin, step))
    return Signal(values, Header("array", domain, shape, channels, values.dtype.name, low, high), name)


def real_numbers(values: ArrayLike | Tensor, name: str) -> NDArray[Any]:
    """What was handed in as an array of real numbers of a type that NumPy and PyTorch share.

    Raises:
        InputError: masked values, rows of different lengths, or anything but real numbers.
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
    """An array in a file of NumPy's (.npy, or one of those in an .npz) as a signal over its indices.

    A large one stays on disk, memory-mapped: in the .npy itself, or unpacked from an .npz into a temporary file.

    Args:
        path: of the file.
        channel_axis: as for `from_array`.
        key: the name of an array in an .npz; not needed where there is only one.

    Raises:
        InputError: the file is missing, damaged, or holds pickled objects, no such array, or what `from_array` raises.
    """
    path = check_input(Path(path))
    try:
        packed = zipfile.is_zipfile(path)
        if key is not None and not packed:
            raise InputError(f"{path} is one array without a name; leave key out")
        values = _unpacked(path, key) if packed else _mapped(path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file can fail anywhere in a decoder
        raise InputError(f"{path} is damaged, or no array: {one_line(error)}") from error
    return from_array(values, channel_axis=channel_axis, name=path.stem)


def write_array(path: Path, pieces: Iterator[NDArray[Any]], shape: Sequence[int]) -> None:
    """Write consecutive pieces (n, …) of an array (*shape, …) as .npy, in row-major order.

    Raises:
        InputError: a place that cannot be written or has no room for it.
    """
    first = next(pieces)
    header = {"descr": npy.dtype_to_descr(first.dtype), "fortran_order": False, "shape": (*shape, *first.shape[1:])}
    with atomic(path) as temporary, temporary.open("wb") as file:
        scratch.check_room(math.prod(shape) * first[0].nbytes, path.name, path.parent)
        npy.write_array_header_1_0(file, header)
        for piece in itertools.chain([first], pieces):
            file.write(np.ascontiguousarray(piece).data)


def _mapped(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        shape, *_ = _npy_header(path, file)
    return np.asarray(np.load(path, mmap_mode="r" if math.prod(shape) > scratch.LARGE else None))


def _unpacked(path: Path, key: str | None) -> NDArray[Any]:
    """An array of an .npz, decompressed block by block."""
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
            blocks = (np.frombuffer(block, dtype) for block in iter(partial(member.read, _BLOCK), b""))
            if size > scratch.LARGE:
                scratch.check_room(size * dtype.itemsize, path.name)
                values = scratch.spill_to_disk(blocks, path.name)
            else:
                values = np.concatenate([np.empty(0, dtype), *blocks])
    if len(values) != size:
        raise InputError(f"{path} is cut short: it has {len(values)} of {size} values")
    return values.reshape(shape, order="F" if fortran else "C")


def _npy_header(path: Path, file: io.BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first index runs fastest, and type of the array that follows in an open .npy."""
    version = npy.read_magic(file)
    shape, fortran, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise InputError(f"{path} holds pickled objects, which are not read; save it as an array of numbers")
    if dtype.kind not in "buif":
        raise InputError(f"{path} holds {one_line(dtype, 40)} values; real numbers are needed")
    return shape, fortran, dtype


def _own_units(units: Sequence[str] | None, *given: Any) -> Sequence[str] | None:
    """Bare indices share the unit "sample"; coordinates that were given without a unit have none."""
    placed = next((each for each in given if each is not None), None)
    return units if units is not None or placed is None else ("",) * len(placed)
