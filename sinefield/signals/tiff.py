"""TIFF of any number of bits: read into memory, in place or by way of a file on disk; written piece by piece."""

from __future__ import annotations

import inspect
import itertools
import logging
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sinefield.errors import InputError, one_line
from sinefield.files import atomic
from sinefield.signals import scratch
from sinefield.signals.chunks import rechunk
from sinefield.signals.signal import iter_chunks

if TYPE_CHECKING:
    from tifffile import TiffPage

MODE_OF_BANDS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
TIFF_SUFFIXES = (".tif", ".tiff")

_COLOURS = {"RGB": "rgb", "RGBA": "rgb", "CMYK": "separated"}
_SAFE_COMPRESSIONS = (1, 8, 32946)  # none and deflate
_TILE = 256
_BLOCK = 2**24
_BOMB = 5000
"""What is so many times larger than its file, and not held in memory, is more likely made to fill the disk."""


def read_tiff(path: Path, max_pixels: int) -> tuple[NDArray[Any], str]:
    """The samples (height, width, bands) of the first page, upright, and its colour mode.

    More than `scratch.LARGE` samples stay on disk, memory-mapped: in the file itself if they lie there as they are,
    else in a temporary one.

    Args:
        path: of the file.
        max_pixels: refuse to hold more than this many pixels in memory.

    Raises:
        InputError: no picture, a damaged one, too many pixels, or no room for them on disk.
    """
    import tifffile

    logging.getLogger("tifffile").disabled = True  # what it would say, our error says in one line
    try:
        with tifffile.TiffFile(path) as file:
            page = cast(tifffile.TiffPage, file.pages[0])
            if page.size > scratch.LARGE and page.dtype is not None:
                values = _on_disk(path, page, max_pixels)
            else:
                check_pixels(path, page.imagewidth * page.imagelength, max_pixels)
                values = page.asarray() if page.compression in _SAFE_COMPRESSIONS else _in_memory(path, page)
            if page.planarconfig == 2 and values.ndim == 3:
                values = np.moveaxis(values, 0, -1)
            values = values[..., None] if values.ndim == 2 else values
            if values.ndim != 3 or values.size == 0 or values.dtype.kind not in "uif" or values.shape[-1] > 4:
                raise InputError(
                    f"{path} holds samples of shape {values.shape}, {values.dtype}; 1 to 4 bands are a picture"
                )
            mode = "CMYK" if page.photometric == 5 else MODE_OF_BANDS[values.shape[-1]]
            orientation = page.tags["Orientation"].value if "Orientation" in page.tags else 1
            return oriented(_shown(values, page, path.name), int(orientation)), mode
    except tifffile.TiffFileError as error:
        raise InputError(
            f"{path} is no picture that can be read here (PNG, JPEG, TIFF, WebP and more are); a sound, a video, an "
            "array, a table or a mesh is told by its suffix, such as .wav, .mp4, .npy, .csv or .ply"
        ) from error
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in a decoder
        raise InputError(f"{path} is damaged or cut short: {one_line(error)}") from error


def write_tiff(path: Path, pieces: Iterator[NDArray[Any]], shape: tuple[int, int], mode: str) -> None:
    """Write consecutive pieces (n, …) of a picture (height, width) as compressed tiles; BigTIFF where it is needed.

    Args:
        path: of the file.
        pieces: numbers of any type, in row-major order; what is behind the first axis are bands.
        shape: of the picture.
        mode: the colours that its bands are, such as "RGB"; other numbers of bands have no colour.

    Raises:
        InputError: a place that cannot be written.
    """
    from tifffile import TiffWriter

    first = next(pieces)
    bands, dtype = math.prod(first.shape[1:]), np.dtype(np.uint8 if first.dtype.kind == "b" else first.dtype)
    colors = _COLOURS.get(mode, "minisblack") if len(mode) == bands else "minisblack"
    extra = bands - {"rgb": 3, "separated": 4, "minisblack": 1}[colors]
    large = math.prod(shape) * bands * dtype.itemsize > 2**32 - 2**25
    with atomic(path) as temporary, TiffWriter(temporary, bigtiff=large) as file:
        file.write(
            _tiles(itertools.chain([first], pieces), shape[1], dtype),
            shape=shape if bands == 1 else (*shape, bands),
            dtype=dtype,
            photometric=colors,
            planarconfig="contig",
            extrasamples=["unassalpha" if mode in ("LA", "RGBA") else "unspecified"] * extra,
            tile=(_TILE, _TILE),
            # a fifth of the size of a picture of bytes, two thirds of other numbers, for far less time than making them
            compression="zlib",
            predictor=dtype.kind == "f" or dtype.itemsize < 8,
            maxworkers=1,  # with more of them, half a gigabyte is gathered first
            metadata=None,
        )


def oriented(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels turned upright from EXIF orientation 1 … 8 (EXIF 2.32, tag 274); those on disk stay there."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values if isinstance(values, np.memmap) else np.ascontiguousarray(values)


def check_pixels(path: Path, pixels: int, max_pixels: int) -> None:
    """Raise InputError if these are more pixels than are to be decoded into memory."""
    if pixels > max_pixels:
        raise InputError(
            f"{path} claims {pixels / 1e6:,.0f} million pixels, more than the {max_pixels / 1e6:,.0f} million that are "
            "read at once; cut it into parts"
        )


def _on_disk(path: Path, page: TiffPage, max_pixels: int) -> NDArray[Any]:
    """The samples of a page, memory-mapped."""
    dtype = np.dtype(page.dtype)
    if page.is_final:
        return np.memmap(path, dtype.newbyteorder(page.parent.byteorder), "r", page.dataoffsets[0], page.shape)
    if page.nbytes > _BOMB * path.stat().st_size:
        check_pixels(path, page.imagewidth * page.imagelength, max_pixels)
    check_pixels(path, math.prod(page.chunks[:2]), max_pixels)  # a strip, or a tile, is decoded at once
    scratch.check_room(page.nbytes, path.name)
    return scratch.spill_to_disk(_rows(path, page), path.name).reshape(page.shape)


def _in_memory(path: Path, page: TiffPage) -> NDArray[Any]:
    return np.concatenate(list(_rows(path, page))).reshape(page.shape)


def _rows(path: Path, page: TiffPage) -> Iterator[NDArray[Any]]:
    """Consecutive rows (n, width, bands) of a page, decoded in a process of its own: decoders can crash on damage."""
    dtype, *_, width, bands = np.dtype(page.dtype), *page.shaped
    row = width * bands * dtype.itemsize
    program = [sys.executable, "-c", f"{inspect.getsource(_decode)}\n_decode()", str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        while data := child.stdout.read(max(_BLOCK // row, 1) * row):
            yield np.frombuffer(data, dtype).reshape(-1, width, bands)
    if child.returncode != 0:
        raise InputError(f"{path} is damaged or cut short: its decoder failed")


def _decode() -> None:
    """The program of that process: the rows of a file's first page, plane after plane, to the standard output."""
    import os
    import sys

    import numpy as np
    import tifffile

    with tifffile.TiffFile(sys.argv[1]) as file:
        page: TiffPage = file.pages[0]  # type: ignore[assignment]
        _, _, height, width, bands = page.shaped
        at_once = max(page.databytecounts) * (os.cpu_count() or 1)
        for segment, (_, _, top, left, _), (_, rows, columns, _) in page.segments(buffersize=at_once):
            rows, columns = min(rows, height - top), min(columns, width - left)
            if left == 0:
                band = np.full((rows, width, bands), page.nodata, page.dtype)
            if segment is not None:
                band[:, left : left + columns] = segment[0, :rows, :columns]
            if left + columns == width:
                sys.stdout.buffer.write(band.data)


def _shown(values: NDArray[Any], page: TiffPage, name: str) -> NDArray[Any]:
    """Samples as the brightness that they show, where zero is white; half floats as single ones."""
    if page.photometric == 0 and values.dtype.kind == "u":
        most = np.iinfo(values.dtype).max
    elif values.dtype.kind == "f" and values.dtype.itemsize == 2:
        most = None
    else:
        return values

    def shown(part: NDArray[Any]) -> NDArray[Any]:
        return part.astype(np.float32) if most is None else most - part

    if isinstance(values, np.memmap):
        return scratch.spill_to_disk((shown(part) for _, part in iter_chunks(values)), name)
    return shown(values)


def _tiles(pieces: Iterator[NDArray[Any]], width: int, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Square tiles, row by row, of a picture that comes in consecutive pieces; true is white."""
    for rows in rechunk(pieces, _TILE * width):
        rows = rows.astype(dtype) * 255 if rows.dtype.kind == "b" else rows
        rows = rows.reshape(len(rows) // width, width, -1)
        for left in range(0, width, _TILE):
            yield rows[:, left : left + _TILE]
