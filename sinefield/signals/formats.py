"""File formats: the reader and the writer of a file, selected by its suffix.

A module of this package that calls `register` adds a format. Modules of other packages can register more:

    from sinefield.signals.formats import Format, register

    register(Format("volume", (".vol.gz",), read_volume))
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.registry import Registry
from sinefield.signals.signal import Crop, Header, Signal
from sinefield.signals.signal import crop as crop_signal

Writer = Callable[[Path, Iterator[NDArray[Any]], tuple[int, ...], float, Header], object]
"""Function that writes consecutive chunks (n[, c][, d]) of a grid: `writer(path, chunks, shape, rate, header)`."""

SHOWN_SUFFIXES = 5
"""Number of suffixes of each format in an error message."""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: Name of the format, such as "image".
        suffixes: Endings of file names, in lower case and with the first dot. Case is ignored, and the longest ending
            that matches selects the format.
        reader: Function that reads a file: `reader(path, **options)`.
        options: Keyword arguments of the reader; names of arguments of `read`.
        writer: Function that writes a grid of samples; None if grids cannot be written.
        check: Function `check(path, header)` that raises InputError unless a field with this header can be written to
            this path; called before any work.
        numbers: Whether a derivative is written as numbers and not as gray levels, or a function of the path.
        claims: Function of the path that returns whether an existing file of another format's suffix belongs to this
            format because of its content.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: Callable[..., Signal]
    options: tuple[str, ...] = ()
    writer: Writer | None = None
    check: Callable[[Path, Header], None] | None = None
    numbers: bool | Callable[[Path], bool] = False
    claims: Callable[[Path], bool] | None = None


FORMATS: Registry[Format] = Registry("file format", "sinefield.signals")
"""The known formats by name."""


def register(file_format: Format) -> Format:
    """Add a format to `FORMATS` and return it; a format of the same name is replaced.

    Raises:
        ValueError: A suffix has no dot or has capital letters.
    """
    for suffix in file_format.suffixes:
        if not suffix.startswith(".") or suffix != suffix.lower():
            raise ValueError(f"the suffix {suffix!r} must start with a dot and be in lower case")
    return FORMATS.add(file_format.name, file_format)


def format_of(path: str | Path) -> Format:
    """Return the format that the suffix of a file name selects; without a suffix, the image format.

    Raises:
        InputError: The suffix is unknown, or two formats have it.
    """
    path = Path(path)
    name = path.name.lower()
    pairs = [(suffix, each) for each in FORMATS.values() for suffix in each.suffixes]
    matches = [(suffix, each) for suffix, each in pairs if name.endswith(suffix) and name != suffix]
    if not matches:
        if path.suffix:
            raise InputError(f"{path.name}: unknown suffix {path.suffix}; known are {_known_suffixes()}")
        return FORMATS["image"]
    longest = max(len(suffix) for suffix, _ in matches)
    first, *others = [each for suffix, each in matches if len(suffix) == longest]
    if others:
        raise InputError(f"{path.name}: the formats {first.name} and {others[0].name} have the same suffix")
    return first


def read(
    source: str | Path,
    *,
    size: int | tuple[int, ...] | None = None,
    crop: Crop | None = None,
    channel_axis: int | None = None,
    key: str | None = None,
    coordinates: Sequence[str] | None = None,
    values: Sequence[str] | None = None,
    points: int | None = None,
) -> Signal:
    """Read a file as a signal: a picture, a sound, a video, an array, a table of samples, or a shape.

    Args:
        source: Path of the file, or name of a sample picture.
        size: Size of a picture or of the frames of a video: the longest side or (height, width), in pixels.
        crop: Range to keep along each axis, in the coordinates of the signal after any change of size.
        channel_axis: Axis of an array that holds channels and not coordinates.
        key: Name of the array in an .npz file.
        coordinates: Columns of a table with the coordinates (default: all that are not values).
        values: Columns of a table with the values (default: the last, or all that are not coordinates).
        points: Number of points to sample from a mesh.

    Raises:
        InputError: The file cannot be read, its suffix is unknown, or an option does not apply to its format.
    """
    options = {
        "size": size,
        "channel_axis": channel_axis,
        "key": key,
        "coordinates": coordinates,
        "values": values,
        "points": points,
    }
    given = {name: value for name, value in options.items() if value is not None}
    signal = _format_to_read(source, given).reader(source, **given)
    return signal if crop is None else crop_signal(signal, crop)


def holds_numbers(path: Path) -> bool:
    """Return whether a derivative is written to this path as numbers; other files show it as gray levels."""
    numbers = format_of(path).numbers
    return numbers if isinstance(numbers, bool) else numbers(path)


def check(path: Path, header: Header) -> None:
    """Raise InputError unless a field with this header can be written to this path."""
    file_format = _format_to_write(path, header)
    if file_format.check is not None:
        file_format.check(path, header)
    if file_format.writer is None:
        raise InputError(f"{path.name}: a grid of samples cannot be written as {file_format.name}; use .npy")


def write(path: Path, chunks: Iterator[NDArray[Any]], shape: tuple[int, ...], rate: float, header: Header) -> None:
    """Write consecutive chunks of a grid; a video without a suffix becomes a folder of PNG files.

    Args:
        path: Path of the file or folder.
        chunks: Samples (n[, c][, d]) in row-major order.
        shape: Shape of the grid.
        rate: Samples or frames per second, for sound and video.
        header: Header of the signal that the samples are values or derivatives of.

    Raises:
        InputError: The format cannot hold the samples, or the path cannot be written.
    """
    check(path, header)
    writer = _format_to_write(path, header).writer
    assert writer is not None
    writer(path, chunks, shape, rate, header)


def _format_to_read(source: str | Path, options: Collection[str]) -> Format:
    """The format that takes a file and all options; a format that claims its content comes before that of its suffix.

    Raises:
        InputError: No such format takes the options, or the suffix is unknown.
    """
    candidates = [each for each in FORMATS.values() if each.claims is not None and each.claims(Path(source))]
    candidates.append(format_of(source))
    for candidate in candidates:
        if set(options) <= set(candidate.options):
            return candidate
    name = candidates[0].name
    option = next(option for option in options if option not in candidates[0].options)
    takers = sorted(each.name for each in FORMATS.values() if option in each.options)
    raise InputError(f"{option} applies to {', '.join(takers)}; {source} is read as {name}")


def _format_to_write(path: Path, header: Header) -> Format:
    """The format of a path; without a suffix, the frames of a video are written to a folder."""
    return FORMATS["video"] if not path.suffix and header.kind == "video" else format_of(path)


def _known_suffixes() -> str:
    """The formats with their first suffixes, such as "array (.npy .npz), audio (.wav .flac …)"."""
    known = []
    for name, each in sorted(FORMATS.items()):
        more = ["…"] if len(each.suffixes) > SHOWN_SUFFIXES else []
        known.append(f"{name} ({' '.join([*each.suffixes[:SHOWN_SUFFIXES], *more])})")
    return ", ".join(known)
