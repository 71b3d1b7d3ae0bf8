"""Which reader and which writer a file's suffix names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.signals import array, audio, image, surface, video
from sinefield.signals import table
from sinefield.signals.signal import Crop, Header, Signal
from sinefield.signals.signal import crop as crop_signal

OPTIONS = {
    "image": ("size",),
    "video": ("size",),
    "audio": (),
    "array": ("channel_axis", "key"),
    "points": ("coordinates", "values"),
    "shape": ("points",),
}
"""What can be said about reading each kind."""


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
    """Whatever a file holds, by its suffix: a picture, a sound, a video, an array, a table of samples, or a shape.

    Args:
        source: a path, or the name of a sample picture.
        size: of a picture or a video, the longest side or (height, width) in pixels.
        crop: the part to take, a range for each axis, in the signal's coordinates (after a change of size).
        channel_axis: of an array, the axis that holds channels rather than coordinates.
        key: the name of the array in an .npz file.
        points: of a mesh, how many to draw from its surface.
        coordinates, values: the columns of a table; the last is the value, all before it coordinates unless given.

    Raises:
        InputError: a file that cannot be read, or an option that is not for its kind.
    """
    kind = "image" if image.is_still(Path(source)) else kind_of(source)
    if kind == "array" and key is None and surface.holds_cloud(Path(source)):
        kind = "shape"
    given = {"size": size, "channel_axis": channel_axis, "key": key, "coordinates": coordinates, "values": values}
    given |= {"points": points}
    for name, value in given.items():
        if value is not None and name not in OPTIONS[kind]:
            meant = ", ".join(each for each, names in OPTIONS.items() if name in names)
            raise InputError(f"{name} is for {meant}; {source} is read as {kind}")
    match kind:
        case "image":
            signal = image.read_image(source)
            signal = signal if size is None else image.resized(signal, size)  # type: ignore[arg-type]
        case "video":
            signal = video.read_video(source, size)  # type: ignore[arg-type]
        case "audio":
            signal = audio.read_audio(source)
        case "array":
            signal = array.read_array(source, channel_axis=channel_axis, key=key)
        case "shape":
            signal = surface.read_surface(source, points=points)
        case _:
            signal = table.read_points(source, coordinates, values)
    return signal if crop is None else crop_signal(signal, crop)


def kind_of(source: str | Path) -> str:
    """The kind of signal that a file is read as, by its suffix; what no other kind claims is a picture."""
    suffix = Path(source).suffix.lower()
    kinds = {
        "audio": audio.AUDIO_SUFFIXES,
        "video": video.VIDEO_SUFFIXES,
        "array": array.ARRAY_SUFFIXES,
        "points": table.TABLE_SUFFIXES,
        "shape": surface.SURFACE_SUFFIXES,
    }
    return next((kind for kind, suffixes in kinds.items() if suffix in suffixes), "image")


def holds_numbers(path: Path) -> bool:
    """Whether a file of this name keeps the numbers of a derivative; others show it in greys."""
    return path.suffix.lower() == ".npy" or image.holds_numbers(path)


def check(path: Path, header: Header) -> None:
    """Raise InputError unless a field with this header can be written under this name."""
    match kind_of(path):
        case "audio":
            audio.check_audio(path, header)
        case "video":
            video.check_video(path, header)
        case "points":
            raise InputError(f"{path.name}: a table is written of points; say which with --at, or use .npy")
        case "image" if path.suffix or header.kind != "video":
            image.check_format(path, header)
        case _ if path.suffix.lower() == ".npz":
            raise InputError(f"{path.name}: arrays are written as .npy")


def write(path: Path, pieces: Iterator[NDArray[Any]], shape: tuple[int, ...], rate: float, header: Header) -> None:
    """Write consecutive pieces (n[, c][, d]) of a grid; a video without a suffix becomes a folder of PNG.

    Args:
        rate: samples or frames a second, for what is played.

    Raises:
        InputError: a format that cannot hold them, or a place that cannot be written.
    """
    match kind_of(path):
        case "array":
            array.write_array(path, pieces, shape)
        case "audio":
            audio.write_audio(path, pieces, rate, header)
        case "video":
            video.write_video(path, pieces, shape, rate, header)  # type: ignore[arg-type]
        case _ if len(shape) == 3:
            video.write_frames(path, pieces, shape, header)
        case _:
            image.write_pixels(path, pieces, (shape[0], shape[1]), header)
