"""Pictures: PNG, JPEG, TIFF, WebP and what else Pillow reads, 8 and 16 bits and float, any colour mode."""

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
from sinefield.files import atomic, check_input
from sinefield.signals import scratch
from sinefield.signals.array import write_array
from sinefield.signals.chunks import rechunk
from sinefield.signals.signal import Header, Signal, check_finite, check_shape, iter_chunks, parse_shape, value_range
from sinefield.signals.tiff import MODE_OF_BANDS, TIFF_SUFFIXES, check_pixels, oriented, read_tiff, write_tiff

MAX_PIXELS = 500_000_000
"""Larger pictures are not decoded into memory: they are more likely a decompression bomb. A TIFF need not be."""

SAMPLES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel", "horse"),
    *("hubble", "ihc", "logo", "microaneurysms", "moon", "page", "phantom", "retina", "rocket", "text"),
)
"""The pictures that come with scikit-image and need no download."""

_FILE_OF_SAMPLE = {"hubble": "hubble_deep_field.jpg", "retina": "retina.jpg", "rocket": "rocket.jpg"}
_CHANNELS = {"L": (), "LA": ("L", "A"), "RGB": tuple("RGB"), "RGBA": tuple("RGBA"), "CMYK": tuple("CMYK")}
_AT_ONCE = 2**24
_WITHOUT_ALPHA = (".jpg", ".jpeg")
_WRITABLE = (".png", *TIFF_SUFFIXES, *_WITHOUT_ALPHA, ".webp", ".npy")


def read_image(source: str | Path, max_pixels: int = MAX_PIXELS) -> Signal:
    """A picture as a signal over the axes (y, x), in pixels: pixel (i, j) is centred at y = i, x = j.

    Palette and 1-bit pictures come as the colours they show, CMYK as its four channels, alpha is a channel, and an
    EXIF orientation is applied. Integer samples map their type's whole range to [-1, 1], float samples their own.
    A large TIFF stays on disk and may be larger than the memory.

    Args:
        source: a path, or one of `SAMPLES`.
        max_pixels: refuse to decode more than this many pixels into memory.

    Raises:
        InputError: the file is missing, empty, truncated, no picture, too large, or holds NaN.
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
    """The signal of a picture (height, width, bands) whose colour mode is L, LA, RGB, RGBA or CMYK."""
    check_finite(values, name)
    if values.dtype.kind == "f":
        low, high = value_range(values)
        # one range for all colours, so that grey stays grey
        low, high = (min(low),) * len(low), (max(high),) * len(high)
    else:
        info = np.iinfo(values.dtype)
        low, high = (float(info.min),) * values.shape[-1], (float(info.max),) * values.shape[-1]
    shape = values.shape[:2]
    domain = from_samples(shape, axes=("y", "x"), units=("px", "px"))
    return Signal(values, Header("image", domain, shape, _CHANNELS[mode], values.dtype.name, low, high), name)


def resized(signal: Signal, size: int | tuple[int, int]) -> Signal:
    """A picture at another size, bilinear and antialiased as the official code does it; its new pixels are its unit.

    Args:
        signal: a picture.
        size: its longest side, or (height, width), in pixels.
    """
    height, width = parse_shape(size, signal.header)
    if height * width > MAX_PIXELS:
        raise InputError(f"{width} × {height} pixels are more than the {MAX_PIXELS / 1e6:,.0f} million held at once")
    values = signal.header.clip(_scaled(signal.values, height, width))
    if signal.values.dtype.kind != "f":
        values = np.rint(values)
    return from_pixels(values.astype(signal.values.dtype), _mode(signal.header), signal.name)


def gray(signal: Signal) -> Signal:
    """The luma of a colour picture (ITU-R BT.601), without its alpha; a grey picture as it is."""
    channels = signal.header.channels
    if channels[:3] != tuple("RGB"):
        if channels:
            raise InputError(f"{signal.name} has the channels {', '.join(channels)}; only RGB can be made grey")
        return signal
    dtype, weights = signal.values.dtype, np.array([[0.299], [0.587], [0.114]])
    lumas = (part[..., :3] @ weights for _, part in iter_chunks(signal.values))
    rounded = (luma.astype(dtype) if dtype.kind == "f" else np.rint(luma).astype(dtype) for luma in lumas)
    large = signal.values.size > scratch.LARGE
    values = scratch.spill_to_disk(rounded, signal.name) if large else np.concatenate(list(rounded))
    return from_pixels(values, "L", signal.name)


def read_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a picture is bright, as an array of the given shape; a picture of the same proportions is resized to it.

    Raises:
        InputError: what `read_image` raises, or a picture of other proportions.
    """
    bright = gray(read_image(path))
    height, width = bright.header.shape
    if (height, width) != shape:
        if abs(height * shape[1] - width * shape[0]) > max(height, width, *shape):
            raise InputError(f"the mask {path} is {width} x {height}, the picture {shape[1]} x {shape[0]}; crop one")
        bright = resized(bright, (shape[0], shape[1]))
    return (bright.values[..., 0] - bright.header.middle) > 0


def write_pixels(path: Path, pieces: Iterator[NDArray[Any]], shape: tuple[int, int], header: Header) -> None:
    """Write consecutive pieces (n[, c][, d]) of a picture, row by row, as the kind of picture that the suffix names.

    `.npy` and TIFF keep the numbers as they are, values or derivatives, and are written in bounded memory. Any other
    format is for values; one with fewer bits or no alpha gets what it can hold, or an error where that would lose a
    channel.

    Args:
        path: of the file.
        pieces: numbers in row-major order.
        shape: (height, width), in pixels.
        header: of the signal that they are values or derivatives of.

    Raises:
        InputError: an unknown suffix, a format that cannot hold the channels, too many pixels for a format that is
            not written piece by piece, or a place that cannot be written.
    """
    check_format(path, header)
    if path.suffix.lower() == ".npy":
        write_array(path, pieces, shape)
    elif holds_numbers(path):
        write_tiff(path, pieces, shape, _mode(header))
    else:
        check_shape(shape)
        (samples,) = rechunk(pieces, math.prod(shape))
        _write_whole(path, samples.reshape(*shape, *samples.shape[1:]), header)


def write_image(path: Path, samples: NDArray[Any], header: Header) -> None:
    """Write samples (height, width[, c][, d]) as `write_pixels` does."""
    height, width = samples.shape[:2]
    write_pixels(path, iter([samples.reshape(-1, *samples.shape[2:])]), (height, width), header)


def holds_numbers(path: Path) -> bool:
    """Whether the suffix names a format for numbers of any type: .npy or TIFF."""
    return path.suffix.lower() in (".npy", *TIFF_SUFFIXES)


def write_gray(path: Path, grays: NDArray[Any]) -> None:
    """Write 8-bit greys (height, width), such as a picture of a derivative."""
    write_image(path, grays, from_pixels(grays[..., None], "L").header)


def check_format(path: Path, header: Header) -> None:
    """Raise InputError unless a picture with these channels can be written under this suffix."""
    suffix, mode = path.suffix.lower(), _mode(header)
    if suffix not in _WRITABLE:
        raise InputError(
            f"{path.name}: no picture format is called {suffix or 'nothing'!r} here; use {', '.join(_WRITABLE)}"
        )
    if len(header.shape) != 2 and suffix != ".npy":
        raise InputError(f"{path.name}: a field over {len(header.shape)} axes is no picture; use .npy")
    if suffix in _WITHOUT_ALPHA and mode.endswith("A"):
        raise InputError(f"{path.name}: JPEG has no alpha channel, which this field has; use .png, .tif or .webp")
    if mode not in _CHANNELS and suffix not in (*TIFF_SUFFIXES, ".npy"):
        raise InputError(f"{path.name}: a picture of {header.out_dim} channels needs .tif or .npy")


def is_still(path: Path) -> bool:
    """Whether a file is a GIF of one frame, which is a picture and no video."""
    if path.suffix.lower() != ".gif" or not path.is_file():
        return False
    try:
        with Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) == 1
    except (OSError, ValueError, SyntaxError):
        return False


def sample_path(name: str) -> Path:
    """The file of a sample picture inside the installed scikit-image."""
    import skimage

    return Path(skimage.__file__).parent / "data" / _FILE_OF_SAMPLE.get(name, f"{name}.png")


def _write_whole(path: Path, samples: NDArray[Any], header: Header) -> None:
    """Write samples (height, width[, channels]) of the header's type as PNG, JPEG or WebP."""
    mode, suffix = _mode(header), path.suffix.lower()
    if samples.dtype == np.uint16 and suffix == ".png" and mode != "CMYK":
        import imagecodecs

        with atomic(path) as temporary:
            temporary.write_bytes(imagecodecs.png_encode(samples))
        return
    picture = Image.fromarray(to_bytes(samples, header), mode if mode != "LA" else None)
    if mode == "CMYK" and suffix not in _WITHOUT_ALPHA:
        picture = picture.convert("RGB")
    with atomic(path) as temporary:
        # WebP and JPEG are lossy unless told otherwise: a rendered field is worth its bytes
        picture.save(temporary, **({"lossless": True} if suffix == ".webp" else {"quality": 95}))


def _scaled(values: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """Samples (…, bands) of a picture at another size, in blocks of rows."""
    scaled = np.empty((height, width, values.shape[-1]), np.float32)
    scale, rows = len(values) / height, max(height * _AT_ONCE // values.size, 1)
    reach = max(scale, 1.0) + 1  # how far the bilinear filter sees, and a pixel for rounding
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(int(top * scale - reach), 0), min(math.ceil(bottom * scale + reach), len(values))
        box = (0, top * scale - first, values.shape[1], min(bottom * scale, len(values)) - first)
        for band in range(values.shape[-1]):
            block = Image.fromarray(values[first:last, :, band].astype(np.float32))
            block = block.resize((width, bottom - top), Image.Resampling.BILINEAR, box)
            scaled[top:bottom, :, band] = np.asarray(block)
    return scaled


def _mode(header: Header) -> str:
    return "".join(header.channels) or "L"


def to_bytes(samples: NDArray[Any], header: Header) -> NDArray[Any]:
    """Samples as 8 bits: their value range goes to 0 … 255."""
    if samples.dtype == np.uint8:
        return samples
    low, high = min(header.low), max(header.high)
    scaled = (samples.astype(np.float64) - low) / (high - low)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def _decode(path: Path, max_pixels: int) -> tuple[NDArray[Any], str]:
    """The samples (height, width, bands) and the colour mode of a picture file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # our own limit on the number of pixels holds instead of Pillow's
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
            except Exception as error:  # a damaged file can fail anywhere in a decoder
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
    """Whether a TIFF has more bits than Pillow keeps, signs that it overlooks, or too many samples to be in memory."""
    tags = getattr(picture, "tag_v2", {})
    bits, signs, compression, colors = (tags.get(tag) for tag in (258, 339, 259, 262))
    if picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK") or max(bits or (8,)) > 8:
        return True
    if set(signs or (1,)) != {1}:
        return True
    # greys, RGB, inks and, in JPEG, YCbCr are what tifffile gives as it is shown
    plain = (colors in (0, 1, 2, 5) and set(bits or ()) == {8}) or (colors == 6 and compression == 7)
    return plain and picture.width * picture.height * len(picture.getbands()) > scratch.LARGE


def _decode_deep_png(path: Path, picture: Image.Image) -> tuple[NDArray[Any], str] | None:
    """A PNG of 16 bits a channel; Pillow would cut its colours to 8. None for any other PNG."""
    with path.open("rb") as file:
        header = file.read(26)
    bits, color = header[24], header[25]
    if bits != 16 or color == 0:
        return None
    import imagecodecs

    try:
        values = imagecodecs.png_decode(path.read_bytes())
    except (imagecodecs.PngError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is damaged or cut short: {one_line(error)}") from error
    values = oriented(values.reshape(picture.height, picture.width, -1), picture.getexif().get(274, 1))
    return values, MODE_OF_BANDS[values.shape[-1]]
