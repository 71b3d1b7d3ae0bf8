"""Pictures: PNG, JPEG, TIFF, WebP and what else Pillow reads, 8 and 16 bits and float, any colour mode."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.files import atomic, check_input
from sinefield.signals.signal import Header, Signal, check_finite, parse_shape, value_range

MAX_PIXELS = 500_000_000
"""Larger pictures are refused before they are decoded: they are more likely a decompression bomb."""

SAMPLES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel", "horse"),
    *("hubble", "ihc", "logo", "microaneurysms", "moon", "page", "phantom", "retina", "rocket", "text"),
)
"""The pictures that come with scikit-image and need no download."""

_FILE_OF_SAMPLE = {"hubble": "hubble_deep_field.jpg", "retina": "retina.jpg", "rocket": "rocket.jpg"}
_CHANNELS = {"L": (), "LA": ("L", "A"), "RGB": tuple("RGB"), "RGBA": tuple("RGBA"), "CMYK": tuple("CMYK")}
_MODE_OF_BANDS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_WITHOUT_ALPHA = (".jpg", ".jpeg")
_TIFF = (".tif", ".tiff")
_WRITABLE = (".png", *_TIFF, *_WITHOUT_ALPHA, ".webp", ".npy")
_SAFE_COMPRESSIONS = (1, 8, 32946)  # none and deflate


def read_image(source: str | Path, max_pixels: int = MAX_PIXELS) -> Signal:
    """A picture as a signal over the axes (y, x), in pixels: pixel (i, j) is centred at y = i, x = j.

    Palette and 1-bit pictures come as the colours they show, CMYK as its four channels, alpha is a channel, and an
    EXIF orientation is applied. Integer samples map their type's whole range to [-1, 1], float samples their own.

    Args:
        source: a path, or one of `SAMPLES`.
        max_pixels: refuse more than this many pixels.

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
    return Signal(values, Header("image", domain, shape, _CHANNELS[mode], str(values.dtype), low, high), name)


def resized(signal: Signal, size: int | tuple[int, int]) -> Signal:
    """A picture at another size, bilinear and antialiased as the official code does it; its new pixels are its unit.

    Args:
        signal: a picture.
        size: its longest side, or (height, width), in pixels.
    """
    height, width = parse_shape(size, signal.header)
    if height * width > MAX_PIXELS:
        raise InputError(f"{width} × {height} pixels are more than the {MAX_PIXELS / 1e6:,.0f} million held at once")
    bands = [
        Image.fromarray(band.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        for band in np.moveaxis(signal.values, -1, 0)
    ]
    values = signal.header.clip(np.stack([np.asarray(band) for band in bands], axis=-1))
    if signal.values.dtype.kind != "f":
        values = np.rint(values)
    return from_pixels(values.astype(signal.values.dtype), _mode(signal.header), signal.name)


def grey(signal: Signal) -> Signal:
    """The luma of a colour picture (ITU-R BT.601), without its alpha; a grey picture as it is."""
    channels = signal.header.channels
    if channels[:3] != tuple("RGB"):
        if channels:
            raise InputError(f"{signal.name} has the channels {', '.join(channels)}; only RGB can be made grey")
        return signal
    luma = signal.values[..., :3] @ np.array([0.299, 0.587, 0.114])
    if signal.values.dtype.kind != "f":
        luma = np.rint(luma)
    return from_pixels(luma.astype(signal.values.dtype)[..., None], "L", signal.name)


def read_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a picture is bright, as an array of the given shape; a picture of the same proportions is resized to it.

    Raises:
        InputError: what `read_image` raises, or a picture of other proportions.
    """
    bright = grey(read_image(path))
    height, width = bright.header.shape
    if (height, width) != shape:
        if abs(height * shape[1] - width * shape[0]) > max(height, width, *shape):
            raise InputError(f"the mask {path} is {width} x {height}, the picture {shape[1]} x {shape[0]}; crop one")
        bright = resized(bright, (shape[0], shape[1]))
    return (bright.values[..., 0] - bright.header.middle) > 0


def write_image(path: Path, samples: NDArray[Any], header: Header) -> None:
    """Write samples (height, width[, channels]) of the header's type as the kind of picture that the suffix names.

    `.npy` and TIFF keep the numbers as they are; a format with fewer bits or no alpha gets what it can hold, or
    an error where that would lose a channel.

    Raises:
        InputError: an unknown suffix, a format that cannot hold the channels, or a place that cannot be written.
    """
    mode, suffix = _mode(header), path.suffix.lower()
    if suffix == ".npy" or (suffix in _TIFF and samples.dtype != np.uint8):
        colours = "separated" if mode == "CMYK" else "rgb" if mode.startswith("RGB") else "minisblack"
        write_numbers(path, samples, colours)
        return
    check_format(path, header)
    if samples.dtype == np.uint16 and suffix == ".png" and mode != "CMYK":
        import imagecodecs

        with atomic(path) as temporary:
            temporary.write_bytes(imagecodecs.png_encode(samples))
        return
    picture = Image.fromarray(_to_bytes(samples, header), mode if mode != "LA" else None)
    if mode == "CMYK" and suffix not in (*_WITHOUT_ALPHA, *_TIFF):
        picture = picture.convert("RGB")
    with atomic(path) as temporary:
        # WebP and JPEG are lossy unless told otherwise: a rendered field is worth its bytes
        picture.save(temporary, **({"lossless": True} if suffix == ".webp" else {"quality": 95}))


def holds_numbers(path: Path) -> bool:
    """Whether the suffix names a format for numbers of any type: .npy or TIFF."""
    return path.suffix.lower() in (".npy", *_TIFF)


def write_numbers(path: Path, samples: NDArray[Any], photometric: str = "minisblack") -> None:
    """Write samples (height, width, …) as they are, to .npy or as the bands of a TIFF."""
    with atomic(path) as temporary:
        if path.suffix.lower() == ".npy":
            np.save(temporary, samples)
        else:
            import tifffile

            bands = samples if samples.ndim == 2 else samples.reshape(*samples.shape[:2], -1)
            contiguous = "contig" if bands.ndim == 3 else None
            tifffile.imwrite(temporary, bands, photometric=photometric, planarconfig=contiguous)


def write_grey(path: Path, greys: NDArray[Any]) -> None:
    """Write 8-bit greys (height, width), such as a picture of a derivative."""
    write_image(path, greys, from_pixels(greys[..., None], "L").header)


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
    if mode not in _CHANNELS and suffix not in (*_TIFF, ".npy"):
        raise InputError(f"{path.name}: a picture of {header.out_dim} channels needs .tif or .npy")


def sample_path(name: str) -> Path:
    """The file of a sample picture inside the installed scikit-image."""
    import skimage

    return Path(skimage.__file__).parent / "data" / _FILE_OF_SAMPLE.get(name, f"{name}.png")


def _mode(header: Header) -> str:
    return "".join(header.channels) or "L"


def _to_bytes(samples: NDArray[Any], header: Header) -> NDArray[Any]:
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
            return _decode_tiff(path, max_pixels)
        except (ValueError, SyntaxError, TypeError, EOFError, RuntimeError, MemoryError) as error:
            raise InputError(f"{path} is damaged: {one_line(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
        with picture:
            _check_pixels(path, picture.width * picture.height, max_pixels)
            if picture.format == "TIFF" and picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"):
                return _decode_tiff(path, max_pixels)
            if picture.format == "PNG" and (deep := _decode_deep_png(path, picture)) is not None:
                return deep
            if picture.format == "TIFF" and _is_deep(picture):
                return _decode_tiff(path, max_pixels)
            if picture.format == "TIFF" and set(getattr(picture, "tag_v2", {}).get(339, (1,))) != {1}:
                return _decode_tiff(path, max_pixels)  # signed integers, which Pillow takes for unsigned
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


def _is_deep(picture: Image.Image) -> bool:
    bits = getattr(picture, "tag_v2", {}).get(258, (8,))
    return bool(max(bits) > 8)


def _decode_deep_png(path: Path, picture: Image.Image) -> tuple[NDArray[Any], str] | None:
    """A PNG of 16 bits a channel; Pillow would cut its colours to 8. None for any other PNG."""
    with path.open("rb") as file:
        header = file.read(26)
    bits, colour = header[24], header[25]
    if bits != 16 or colour == 0:
        return None
    import imagecodecs

    try:
        values = imagecodecs.png_decode(path.read_bytes())
    except (imagecodecs.PngError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is damaged or cut short: {one_line(error)}") from error
    values = _oriented(values.reshape(picture.height, picture.width, -1), picture.getexif().get(274, 1))
    return values, _MODE_OF_BANDS[values.shape[-1]]


def _decode_tiff(path: Path, max_pixels: int) -> tuple[NDArray[Any], str]:
    """The first page of a TIFF of more than 8 bits, integer or float."""
    import tifffile

    logging.getLogger("tifffile").disabled = True  # what it would say, our error says in one line
    try:
        with tifffile.TiffFile(path) as file:
            page = cast(tifffile.TiffPage, file.pages[0])
            _check_pixels(path, page.imagewidth * page.imagelength, max_pixels)
            values = page.asarray() if page.compression in _SAFE_COMPRESSIONS else _decode_apart(path)
            if page.planarconfig == 2 and values.ndim == 3:
                values = np.moveaxis(values, 0, -1)
            orientation = page.tags["Orientation"].value if "Orientation" in page.tags else 1
            inverted, separated = page.photometric == 0, page.photometric == 5
    except tifffile.TiffFileError as error:
        raise InputError(f"{path} is no picture that can be read here (PNG, JPEG, TIFF, WebP and more are)") from error
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in a decoder
        raise InputError(f"{path} is damaged or cut short: {one_line(error)}") from error
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.size == 0 or values.dtype.kind not in "uif" or values.shape[-1] not in _MODE_OF_BANDS:
        raise InputError(f"{path} holds samples of shape {values.shape}, {values.dtype}; 1 to 4 bands are a picture")
    if inverted and values.dtype.kind == "u":
        values = np.iinfo(values.dtype).max - values
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    return _oriented(values, int(orientation)), "CMYK" if separated else _MODE_OF_BANDS[values.shape[-1]]


def _decode_apart(path: Path) -> NDArray[Any]:
    """The first page of a TIFF, decoded in a process of its own: some decoders crash on damaged data."""
    code = (
        "import sys, numpy, tifffile; numpy.save(sys.stdout.buffer, tifffile.TiffFile(sys.argv[1]).pages[0].asarray())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True)
    if done.returncode != 0:
        raise InputError(f"{path} is damaged or cut short: its decoder failed")
    return np.asarray(np.load(io.BytesIO(done.stdout)))


def _oriented(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels turned upright from EXIF orientation 1 … 8 (EXIF 2.32, tag 274)."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def _check_pixels(path: Path, pixels: int, max_pixels: int) -> None:
    if pixels > max_pixels:
        raise InputError(
            f"{path} claims {pixels / 1e6:,.0f} million pixels, more than the {max_pixels / 1e6:,.0f} million that are "
            "read at once; cut it into parts"
        )
