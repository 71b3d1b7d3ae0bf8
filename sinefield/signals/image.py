"""Pictures: PNG, JPEG, TIFF, WebP and the other formats of Pillow, of 8 or 16 bits or float, in any color mode."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.extras import extra
from sinefield.files import atomic, check_input
from sinefield.signals import scratch
from sinefield.signals.array import write_array
from sinefield.signals.chunks import rechunk
from sinefield.signals.formats import Format, register
from sinefield.signals.signal import Header, Signal, check_finite, check_shape, iter_chunks, parse_shape, value_range
from sinefield.signals.tiff import (
    MODE_OF_BANDS,
    TIFF_SUFFIXES,
    check_pixels,
    import_tifffile,
    oriented,
    read_tiff,
    write_tiff,
)

MAX_PIXELS = 500_000_000
"""Largest picture, in pixels, that is decoded into memory; a TIFF that stays on disk may be larger.

A larger one is more likely a decompression bomb.
"""

SAMPLES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel", "horse"),
    *("hubble", "ihc", "logo", "microaneurysms", "moon", "page", "phantom", "retina", "rocket", "text"),
)
"""Names of the pictures in the installed files of scikit-image."""

_FILE_OF_SAMPLE = {"hubble": "hubble_deep_field.jpg", "retina": "retina.jpg", "rocket": "rocket.jpg"}
_CHANNELS = {"L": (), "LA": ("L", "A"), "RGB": tuple("RGB"), "RGBA": tuple("RGBA"), "CMYK": tuple("CMYK")}
_BLOCK_SIZE = 2**24
_WITHOUT_ALPHA = (".jpg", ".jpeg")
_WRITABLE = (".png", *TIFF_SUFFIXES, *_WITHOUT_ALPHA, ".webp", ".npy")
_COMMON_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".jp2")
_VIDEO_SUFFIXES = (".gif", ".apng")
_NOT_DECODED = ("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PALM", "PDF", "WMF")
"""Formats that Pillow recognizes or writes but does not decode, or decodes only with another program."""


def read_image(source: str | Path, max_pixels: int = MAX_PIXELS) -> Signal:
    """Read a picture as a signal over the axes (y, x), in pixels; the center of pixel (i, j) is at y = i, x = j.

    Palette and 1-bit pictures are converted to the colors that they display, CMYK has four channels, alpha is a
    channel, and the EXIF orientation is applied. The whole range of an integer type is mapped to [-1, 1], and the range
    of the values of a floating-point type. A large TIFF stays on disk and may be larger than the memory.

    Args:
        source: Path of the file, or one of `SAMPLES`.
        max_pixels: Largest number of pixels to decode into memory.

    Raises:
        InputError: The file is missing, empty, truncated, not a picture, too large, or holds NaN.
    """
    path = sample_path(str(source)) if str(source) in SAMPLES else Path(source)
    check_input(path, f"; give a path, or a sample picture: {', '.join(SAMPLES)}")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)")
        values, mode = _decode(path, max_pixels)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    return from_pixels(values, mode, Path(source).stem)


def from_pixels(values: NDArray[Any], mode: str, name: str = "picture") -> Signal:
    """Return a picture as a signal.

    Args:
        values: Pixels (height, width, bands).
        mode: Color mode: L, LA, RGB, RGBA, or CMYK.
        name: Name for messages and figures.

    Raises:
        InputError: The values hold NaN or infinity.
    """
    check_finite(values, name)
    if values.dtype.kind == "f":
        low, high = value_range(values)
        # all colors share one range, so that gray stays gray
        low, high = (min(low),) * len(low), (max(high),) * len(high)
    else:
        info = np.iinfo(values.dtype)
        low, high = (float(info.min),) * values.shape[-1], (float(info.max),) * values.shape[-1]
    shape = values.shape[:2]
    domain = from_samples(shape, axes=("y", "x"), units=("px", "px"))
    return Signal(values, Header("image", domain, shape, _CHANNELS[mode], values.dtype.name, low, high), name)


def resize(signal: Signal, size: int | tuple[int, int]) -> Signal:
    """Resample a picture with a bilinear antialiasing filter, as the code of the paper does.

    Args:
        signal: Picture. The result has coordinates in its own pixels.
        size: Longest side or (height, width), in pixels.

    Raises:
        InputError: The size is not positive or too large.
    """
    height, width = parse_shape(size, signal.header)
    if height * width > MAX_PIXELS:
        raise InputError(
            f"{width} × {height} pixels are more than the {MAX_PIXELS / 1e6:,.0f} million that are held in memory"
        )
    values = signal.header.clip(_resample(signal.values, height, width))
    if signal.values.dtype.kind != "f":
        values = np.rint(values)
    return from_pixels(values.astype(signal.values.dtype), _mode(signal.header), signal.name)


def gray(signal: Signal) -> Signal:
    """Convert a color picture to gray, without alpha: 0.299 R + 0.587 G + 0.114 B; a gray picture is not changed.

    Raises:
        InputError: The channels are not those of a gray, RGB, or RGBA picture.

    Source: ITU-R BT.601.
    """
    channels = signal.header.channels
    if channels[:3] != tuple("RGB"):
        if channels:
            raise InputError(f"{signal.name} has the channels {', '.join(channels)}; only RGB can be converted to gray")
        return signal
    dtype, weights = signal.values.dtype, np.array([[0.299], [0.587], [0.114]])
    lumas = (chunk[..., :3] @ weights for _, chunk in iter_chunks(signal.values))
    rounded = (luma.astype(dtype) if dtype.kind == "f" else np.rint(luma).astype(dtype) for luma in lumas)
    large = signal.values.size > scratch.LARGE
    values = scratch.spill_to_disk(rounded, signal.name) if large else np.concatenate(list(rounded))
    return from_pixels(values, "L", signal.name)


def read_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Read a mask, which is True where a picture is brighter than the middle of its range.

    Args:
        path: Path of the picture.
        shape: Height and width of the mask, in pixels. A picture of the same proportions is resized.

    Raises:
        InputError: The picture cannot be read or has other proportions.
    """
    brightness = gray(read_image(path))
    height, width = brightness.header.shape
    if (height, width) != shape:
        if abs(height * shape[1] - width * shape[0]) > max(height, width, *shape):
            raise InputError(f"the mask {path} is {width} x {height}, the picture {shape[1]} x {shape[0]}; crop one")
        brightness = resize(brightness, (shape[0], shape[1]))
    return (brightness.values[..., 0] - brightness.header.middle) > 0


def write_pixels(path: Path, chunks: Iterator[NDArray[Any]], shape: tuple[int, int], header: Header) -> None:
    """Write consecutive chunks of a picture, in the format that the suffix names.

    `.npy` and TIFF store numbers of any type, values or derivatives, and are written with bounded memory. All other
    formats store values; those with fewer bits store rounded values.

    Args:
        path: Path of the file.
        chunks: Samples (n[, c][, d]) in row-major order.
        shape: Height and width, in pixels.
        header: Header of the signal that the samples are values or derivatives of.

    Raises:
        InputError: The suffix is unknown, the format cannot hold the channels, there are too many pixels for a format
            that is not written in chunks, or the path cannot be written.
    """
    check_format(path, header)
    if path.suffix.lower() == ".npy":
        write_array(path, chunks, shape)
    elif holds_numbers(path):
        write_tiff(path, chunks, shape, _mode(header))
    else:
        check_shape(shape)
        (samples,) = rechunk(chunks, math.prod(shape))
        _write_whole(path, samples.reshape(*shape, *samples.shape[1:]), header)


def write_image(path: Path, samples: NDArray[Any], header: Header) -> None:
    """Write samples (height, width[, c][, d]) of a picture; see `write_pixels`."""
    height, width = samples.shape[:2]
    write_pixels(path, iter([samples.reshape(-1, *samples.shape[2:])]), (height, width), header)


def write_gray(path: Path, levels: NDArray[Any]) -> None:
    """Write 8-bit gray levels (height, width)."""
    write_image(path, levels, from_pixels(levels[..., None], "L").header)


def check_format(path: Path, header: Header) -> None:
    """Raise InputError unless a picture with this header can be written to this path."""
    suffix, mode = path.suffix.lower(), _mode(header)
    if suffix not in _WRITABLE:
        found = f"the suffix {suffix}" if suffix else "no suffix"
        raise InputError(f"{path.name} has {found}; a picture format is needed: {', '.join(_WRITABLE)}")
    if len(header.shape) != 2 and suffix != ".npy":
        raise InputError(f"{path.name}: a field over {len(header.shape)} axes is no picture; use .npy")
    if suffix in _WITHOUT_ALPHA and mode.endswith("A"):
        raise InputError(f"{path.name}: JPEG has no alpha channel, which this field has; use .png, .tif or .webp")
    if mode not in _CHANNELS and suffix not in (*TIFF_SUFFIXES, ".npy"):
        raise InputError(f"{path.name}: a picture of {header.out_dim} channels needs .tif or .npy")
    if suffix in TIFF_SUFFIXES:
        import_tifffile()
    elif suffix == ".png" and header.dtype == "uint16" and mode not in ("L", "CMYK"):
        with extra("image"):
            import imagecodecs  # noqa: F401


def holds_numbers(path: Path) -> bool:
    """Return whether the suffix names a format that stores numbers of any type: .npy or TIFF."""
    return path.suffix.lower() in (".npy", *TIFF_SUFFIXES)


def is_still_image(path: Path) -> bool:
    """Return whether a file is a GIF with a single frame, which is read as a picture and not as a video."""
    if path.suffix.lower() != ".gif" or not path.is_file():
        return False
    try:
        with Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) == 1
    except (OSError, ValueError, SyntaxError):
        return False


def sample_path(name: str) -> Path:
    """Return the path of a sample picture in the installed files of scikit-image."""
    with extra("image"):
        import skimage

    return Path(skimage.__file__).parent / "data" / _FILE_OF_SAMPLE.get(name, f"{name}.png")


def to_bytes(samples: NDArray[Any], header: Header) -> NDArray[Any]:
    """Convert samples to 8 bits: the value range of the header is mapped to 0 … 255."""
    if samples.dtype == np.uint8:
        return samples
    low, high = min(header.low), max(header.high)
    scaled = (samples.astype(np.float64) - low) / (high - low)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def _mode(header: Header) -> str:
    return "".join(header.channels) or "L"


def _resample(values: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """Pixels (…, bands) of a picture at another size, computed in blocks of rows."""
    resampled = np.empty((height, width, values.shape[-1]), np.float32)
    scale, rows = len(values) / height, max(height * _BLOCK_SIZE // values.size, 1)
    support = max(scale, 1.0) + 1  # half-width of the bilinear filter, plus a pixel for rounding
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(int(top * scale - support), 0), min(math.ceil(bottom * scale + support), len(values))
        box = (0, top * scale - first, values.shape[1], min(bottom * scale, len(values)) - first)
        for band in range(values.shape[-1]):
            block = Image.fromarray(values[first:last, :, band].astype(np.float32))
            block = block.resize((width, bottom - top), Image.Resampling.BILINEAR, box)
            resampled[top:bottom, :, band] = np.asarray(block)
    return resampled


def _write_whole(path: Path, samples: NDArray[Any], header: Header) -> None:
    """Write samples (height, width[, channels]) of the header's type as PNG, JPEG or WebP."""
    mode, suffix = _mode(header), path.suffix.lower()
    if samples.dtype == np.uint16 and suffix == ".png" and mode != "CMYK":
        _write_deep_png(path, samples, mode)
        return
    picture = Image.fromarray(to_bytes(samples, header), mode if mode != "LA" else None)
    if mode == "CMYK" and suffix not in _WITHOUT_ALPHA:
        picture = picture.convert("RGB")
    with atomic(path) as temporary:
        # the default quality of WebP and JPEG would add visible artifacts
        picture.save(temporary, **({"lossless": True} if suffix == ".webp" else {"quality": 95}))


def _write_deep_png(path: Path, samples: NDArray[Any], mode: str) -> None:
    """Write a PNG with 16 bits per channel; Pillow supports only gray ones."""
    if mode == "L":
        with atomic(path) as temporary:
            Image.fromarray(samples.reshape(samples.shape[:2])).save(temporary)
        return
    with extra("image"):
        import imagecodecs

    with atomic(path) as temporary:
        temporary.write_bytes(imagecodecs.png_encode(samples))


def _decode(path: Path, max_pixels: int) -> tuple[NDArray[Any], str]:
    """The samples (height, width, bands) and the color mode of a picture file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # max_pixels replaces the limit of Pillow
        Image.MAX_IMAGE_PIXELS, limit = None, Image.MAX_IMAGE_PIXELS
        try:
            picture: Image.Image = Image.open(path)
        except UnidentifiedImageError:
            return read_tiff(path, max_pixels)
        except (ValueError, SyntaxError, TypeError, EOFError, RuntimeError, MemoryError) as error:
            raise InputError(f"{path} is damaged: {one_line(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
        with picture:
            if picture.format == "TIFF" and _is_for_tifffile(picture):
                return read_tiff(path, max_pixels)
            check_pixels(path, picture.width * picture.height, max_pixels)
            if picture.format == "PNG" and (deep := _decode_deep_png(path, picture)) is not None:
                return deep
            try:
                return _decode_pillow(picture)
            except Exception as error:  # decoders raise many types of errors for damaged files
                raise InputError(f"{path} is damaged or cut short: {one_line(error)}") from error


def _decode_pillow(picture: Image.Image) -> tuple[NDArray[Any], str]:
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode in ("1", "L", "RGB") and "transparency" in picture.info:
        picture = picture.convert("RGBA" if picture.mode == "RGB" else "LA")
    elif picture.mode in ("1", "PA", "La", "RGBa", "YCbCr", "LAB", "HSV"):
        picture = picture.convert({"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}.get(picture.mode, "RGB"))
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        values = values.astype(np.uint16)
    elif picture.mode == "I":
        values = values.astype(np.uint16 if values.min() >= 0 and values.max() < 2**16 else np.int32)
    mode = "L" if picture.mode[0] in "IF" else picture.mode
    return values.reshape(*values.shape[:2], -1), mode


def _is_for_tifffile(picture: Image.Image) -> bool:
    """Whether a TIFF has more bits than Pillow decodes, a sample format that Pillow ignores, or too many samples."""
    tags = getattr(picture, "tag_v2", {})
    bits, sample_formats, compression, photometric = (tags.get(tag) for tag in (258, 339, 259, 262))
    if picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK") or max(bits or (8,)) > 8:
        return True
    if set(sample_formats or (1,)) != {1}:
        return True
    # gray, RGB, CMYK, and YCbCr in JPEG are decoded by tifffile to the colors that they display
    plain = (photometric in (0, 1, 2, 5) and set(bits or ()) == {8}) or (photometric == 6 and compression == 7)
    return plain and picture.width * picture.height * len(picture.getbands()) > scratch.LARGE


def _decode_deep_png(path: Path, picture: Image.Image) -> tuple[NDArray[Any], str] | None:
    """The samples of a color PNG with 16 bits per channel, which Pillow would reduce to 8; None for any other PNG."""
    with path.open("rb") as file:
        header = file.read(26)
    bits, color_type = header[24], header[25]
    if bits != 16 or color_type == 0:
        return None
    with extra("image"):
        import imagecodecs

    try:
        values = imagecodecs.png_decode(path.read_bytes())
    except (imagecodecs.PngError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is damaged or cut short: {one_line(error)}") from error
    values = oriented(values.reshape(picture.height, picture.width, -1), picture.getexif().get(274, 1))
    return values, MODE_OF_BANDS[values.shape[-1]]


def _read(source: str | Path, size: int | tuple[int, int] | None = None) -> Signal:
    signal = read_image(source)
    return signal if size is None else resize(signal, size)


def _suffixes() -> tuple[str, ...]:
    """The suffixes of the files that Pillow decodes, the common ones first."""
    decoded = [suffix for suffix, name in Image.registered_extensions().items() if name not in _NOT_DECODED]
    return tuple(dict.fromkeys([*_COMMON_SUFFIXES, *sorted(set(decoded) - set(_VIDEO_SUFFIXES))]))


register(
    Format(
        "image",
        _suffixes(),
        _read,
        options=("size",),
        writer=lambda path, chunks, shape, rate, header: write_pixels(path, chunks, (shape[0], shape[1]), header),
        check=check_format,
        numbers=holds_numbers,
        claims=is_still_image,
    )
)
