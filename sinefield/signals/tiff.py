"""TIFF of any bit depth: read into memory, memory-mapped, or unpacked to disk; written in chunks."""

from __future__ import annotations

import inspect
import itertools
import logging
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sinefield.errors import InputError, one_line
from sinefield.extras import extra
from sinefield.files import atomic
from sinefield.signals import scratch
from sinefield.signals.chunks import rechunk
from sinefield.signals.signal import iter_chunks

if TYPE_CHECKING:
    from tifffile import TiffPage

MODE_OF_BANDS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Color mode of a picture by its number of bands."""

TIFF_SUFFIXES = (".tif", ".tiff")
"""Suffixes of TIFF files."""

_BYTE_ORDERS = (b"II", b"MM", b"EP")
_PHOTOMETRIC = {"RGB": "rgb", "RGBA": "rgb", "CMYK": "separated"}
_SAFE_COMPRESSIONS = (1, 8, 32946)  # none and deflate
_TILE = 256
_BLOCK_SIZE = 2**24
_MAX_EXPANSION = 5000
"""Ratio of the decoded size to the size of the file above which a TIFF is taken for a decompression bomb."""


def read_tiff(path: Path, max_pixels: int) -> tuple[NDArray[Any], str]:
    """Read the first page of a TIFF, with its orientation applied.

    More than `scratch.LARGE` samples stay on disk, memory-mapped: in the file itself if they are stored there without
    compression, else in a temporary file.

    Args:
        path: Path of the file.
        max_pixels: Largest number of pixels to hold in memory.

    Returns:
        Samples (height, width, bands), and the color mode.

    Raises:
        InputError: The file is not a picture or is damaged, has too many pixels, or does not fit the disk.
    """
    with path.open("rb") as opened:
        if opened.read(2) not in _BYTE_ORDERS:
            raise _not_a_picture(path)
    tifffile = import_tifffile()
    logging.getLogger("tifffile").disabled = True  # the error message below replaces its warnings
    try:
        with tifffile.TiffFile(path) as file:
            page = cast("TiffPage", file.pages[0])
            values = _page_values(path, page, max_pixels)
            mode = "CMYK" if page.photometric == 5 else MODE_OF_BANDS[values.shape[-1]]
            orientation = page.tags["Orientation"].value if "Orientation" in page.tags else 1
            return oriented(_displayed(values, page, path.name), int(orientation)), mode
    except tifffile.TiffFileError as error:
        raise _not_a_picture(path) from error
    except InputError:
        raise
    except Exception as error:  # decoders raise many types of errors for damaged files
        raise InputError(f"{path} is damaged or cut short: {one_line(error)}") from error


def write_tiff(path: Path, chunks: Iterator[NDArray[Any]], shape: tuple[int, int], mode: str) -> None:
    """Write consecutive chunks of a picture as compressed tiles; files above 4 GB are written as BigTIFF.

    Args:
        path: Path of the file.
        chunks: Numbers (n, …) of any type, in row-major order; the axes after the first are bands.
        shape: Height and width of the picture, in pixels.
        mode: Color mode of the bands, such as "RGB"; it is ignored for another number of bands.

    Raises:
        InputError: The path cannot be written.
    """
    tifffile = import_tifffile()
    first = next(chunks)
    bands, dtype = math.prod(first.shape[1:]), np.dtype(np.uint8 if first.dtype.kind == "b" else first.dtype)
    photometric = _PHOTOMETRIC.get(mode, "minisblack") if len(mode) == bands else "minisblack"
    extra_bands = bands - {"rgb": 3, "separated": 4, "minisblack": 1}[photometric]
    large = math.prod(shape) * bands * dtype.itemsize > 2**32 - 2**25
    with atomic(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=large) as file:
        file.write(
            _tiles(itertools.chain([first], chunks), shape[1], dtype),
            shape=shape if bands == 1 else (*shape, bands),
            dtype=dtype,
            photometric=photometric,
            planarconfig="contig",
            extrasamples=["unassalpha" if mode in ("LA", "RGBA") else "unspecified"] * extra_bands,
            tile=(_TILE, _TILE),
            # reduces 8-bit pictures to a fifth and other numbers to two thirds, faster than a field is evaluated
            compression="zlib",
            predictor=dtype.kind == "f" or dtype.itemsize < 8,
            maxworkers=1,  # with more workers, tifffile first collects half a gigabyte of tiles
            metadata=None,
        )


def import_tifffile() -> ModuleType:
    """Import tifffile and the codecs that it uses.

    Raises:
        InputError: They are not installed.
    """
    with extra("image"):
        import imagecodecs  # noqa: F401
        import tifffile

    return tifffile


def oriented(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation from 1 to 8 (EXIF 2.32, tag 274) to pixels; memory-mapped pixels stay on disk."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values if isinstance(values, np.memmap) else np.ascontiguousarray(values)


def check_pixels(path: Path, pixels: int, max_pixels: int) -> None:
    """Raise InputError if a picture has more pixels than may be decoded into memory."""
    if pixels > max_pixels:
        raise InputError(
            f"{path} has {pixels / 1e6:,.0f} million pixels, more than the {max_pixels / 1e6:,.0f} million that are "
            "decoded into memory; cut it into parts"
        )


def _not_a_picture(path: Path) -> InputError:
    return InputError(
        f"{path} is no picture that can be read, such as PNG, JPEG, TIFF or WebP; a sound, a video, an array, a table "
        "or a mesh needs its suffix, such as .wav, .mp4, .npy, .csv or .ply"
    )


def _page_values(path: Path, page: TiffPage, max_pixels: int) -> NDArray[Any]:
    """The samples (height, width, bands) of a page, as they are stored."""
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
            f"{path} holds {values.dtype} samples of shape {values.shape}; a picture has numbers in 1 to 4 bands"
        )
    return values


def _on_disk(path: Path, page: TiffPage, max_pixels: int) -> NDArray[Any]:
    """The samples of a page, memory-mapped."""
    dtype = np.dtype(page.dtype)
    if page.is_final:
        return np.memmap(path, dtype.newbyteorder(page.parent.byteorder), "r", page.dataoffsets[0], page.shape)
    if page.nbytes > _MAX_EXPANSION * path.stat().st_size:
        check_pixels(path, page.imagewidth * page.imagelength, max_pixels)
    check_pixels(path, math.prod(page.chunks[:2]), max_pixels)  # a strip or a tile is decoded as a whole
    scratch.check_room(page.nbytes, path.name)
    return scratch.spill_to_disk(_rows(path, page), path.name).reshape(page.shape)


def _in_memory(path: Path, page: TiffPage) -> NDArray[Any]:
    return np.concatenate(list(_rows(path, page))).reshape(page.shape)


def _rows(path: Path, page: TiffPage) -> Iterator[NDArray[Any]]:
    """Consecutive rows (n, width, bands) of a page, decoded in a subprocess: damaged data can crash a decoder."""
    dtype, *_, width, bands = np.dtype(page.dtype), *page.shaped
    row_size = width * bands * dtype.itemsize
    program = [sys.executable, "-c", f"{inspect.getsource(_decode)}\n_decode()", str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        while data := child.stdout.read(max(_BLOCK_SIZE // row_size, 1) * row_size):
            yield np.frombuffer(data, dtype).reshape(-1, width, bands)
    if child.returncode != 0:
        raise InputError(f"{path} is damaged or cut short: its decoder failed")


def _decode() -> None:
    """Program of the subprocess: write the rows of the first page of a file, plane by plane, to standard output."""
    import os
    import sys

    import numpy as np
    import tifffile

    with tifffile.TiffFile(sys.argv[1]) as file:
        page: TiffPage = file.pages[0]  # type: ignore[assignment]
        _, _, height, width, bands = page.shaped
        buffer_size = max(page.databytecounts) * (os.cpu_count() or 1)
        for segment, (_, _, top, left, _), (_, rows, columns, _) in page.segments(buffersize=buffer_size):
            rows, columns = min(rows, height - top), min(columns, width - left)
            if left == 0:
                band = np.full((rows, width, bands), page.nodata, page.dtype)
            if segment is not None:
                band[:, left : left + columns] = segment[0, :rows, :columns]
            if left + columns == width:
                sys.stdout.buffer.write(band.data)


def _displayed(values: NDArray[Any], page: TiffPage, name: str) -> NDArray[Any]:
    """Samples as brightness: inverted where zero is white; half-precision floats become single-precision ones."""
    if page.photometric == 0 and values.dtype.kind == "u":
        white = np.iinfo(values.dtype).max
    elif values.dtype.kind == "f" and values.dtype.itemsize == 2:
        white = None
    else:
        return values

    def convert(chunk: NDArray[Any]) -> NDArray[Any]:
        return chunk.astype(np.float32) if white is None else white - chunk

    if isinstance(values, np.memmap):
        return scratch.spill_to_disk((convert(chunk) for _, chunk in iter_chunks(values)), name)
    return convert(values)


def _tiles(chunks: Iterator[NDArray[Any]], width: int, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Square tiles, row by row, of a picture in consecutive chunks; True becomes 255."""
    for rows in rechunk(chunks, _TILE * width):
        rows = rows.astype(dtype) * 255 if rows.dtype.kind == "b" else rows
        rows = rows.reshape(len(rows) // width, width, -1)
        for left in range(0, width, _TILE):
            yield rows[:, left : left + _TILE]
