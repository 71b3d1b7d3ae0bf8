"""Video: read with FFmpeg; written as MP4, MOV, MKV, WebM, GIF, or a folder of PNG files."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.extras import extra
from sinefield.files import atomic, check_input
from sinefield.signals.chunks import rechunk
from sinefield.signals.formats import Format, register
from sinefield.signals.image import MAX_PIXELS, to_bytes, write_image
from sinefield.signals.scratch import spill_to_disk
from sinefield.signals.signal import Header, Signal, parse_shape

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video import VideoFrame, VideoStream

WRITABLE = (".mp4", ".mov", ".mkv", ".webm", ".gif")
"""Suffixes of the formats that are written."""

VIDEO_SUFFIXES = (
    *WRITABLE,
    *(".m4v", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp", ".apng", ".y4m"),
)
"""Suffixes of the formats that are read."""

_BT709 = 1  # number of the matrix, the primaries and the transfer characteristics of BT.709 in ITU-T H.273

# SWS_BILINEAR, SWS_FULL_CHR_H_INT, SWS_FULL_CHR_H_INP and SWS_ACCURATE_RND of libswscale, not all of which older
# versions of PyAV define; without the last three, colors are one or two levels too dark
_EXACT = 0x2 | 0x2000 | 0x4000 | 0x40000


class _Encoder(NamedTuple):
    codec: str
    pixels: str
    divisor: int  # of the height and the width
    max_rate: int  # frames per second that the time base of the container resolves
    options: dict[str, str]


# almost lossless
_H264 = _Encoder("libx264", "yuv420p", 2, 10_000, {"crf": "12"})
_VP9 = _Encoder("libvpx-vp9", "yuv420p", 1, 1000, {"crf": "12", "b": "0", "cpu-used": "4", "row-mt": "1"})
_GIF = _Encoder("gif", "pal8", 1, 100, {})
_ENCODERS = {".mp4": _H264, ".mov": _H264, ".mkv": _H264._replace(max_rate=1000), ".webm": _VP9, ".gif": _GIF}


def read_video(path: str | Path, size: int | tuple[int, int] | None = None) -> Signal:
    """Read a video as a signal over t in seconds and (y, x) in pixels, without sound; the first frame is at t = 0.

    Frames are taken as equally spaced in time, at their mean rate if they are not, and rotated upright. They are 8-bit
    RGB, or have one channel if they are stored as gray. They are decoded to disk and memory-mapped.

    Args:
        path: Path of the file.
        size: Size of the frames: the longest side or (height, width), in pixels. Frames are resampled with a bilinear
            antialiasing filter.

    Raises:
        InputError: The file is missing, empty, not a video, or has no frame that can be decoded.
    """
    path = check_input(Path(path))
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)")
    with extra("video"):
        import av
    try:
        # FFmpeg takes the text before a colon in a relative path for a protocol
        with av.open(path.absolute()) as file:
            return _decode(file, path, size)
    except av.FFmpegError as error:
        raise InputError(
            f"{path} is damaged or no video ({one_line(error.strerror)}); copy it again, or convert it to .mp4"
        ) from error
    except UnicodeDecodeError as error:  # before PyAV 19
        raise InputError(f"{path} has a title or another label that is not UTF-8; convert it to .mp4") from error


def write_video(
    path: Path, chunks: Iterator[NDArray[Any]], shape: tuple[int, int, int], rate: float, header: Header
) -> None:
    """Write consecutive chunks of a video in high quality, in the format that the suffix names.

    MP4, MOV and MKV are encoded as H.264 with half the color resolution, which all players support and which needs an
    even height and width: the last row or column is repeated. A GIF has 256 colors, chosen for each frame.

    Args:
        path: Path with one of the suffixes in `WRITABLE`.
        chunks: Samples (n[, channels]) in row-major order; the range of the header is mapped to 8 bits.
        shape: Number of frames, height, and width.
        rate: Frames per second.
        header: Header of the samples.

    Raises:
        InputError: The format cannot hold the channels, the size or the rate, or the path cannot be written.
    """
    check_video(path, header)
    with extra("video"):
        import av
    encoder = _ENCODERS[path.suffix.lower()]
    if not 1e-3 <= rate <= encoder.max_rate:
        raise InputError(f"{path.name}: {rate:g} frames a second; this format takes 0.001 to {encoder.max_rate:,}")
    frames = (to_bytes(samples, header).reshape(*shape[1:], -1) for samples in rechunk(chunks, shape[1] * shape[2]))
    with atomic(path) as temporary:
        try:
            with av.open(temporary, "w") as file:
                _encode(file, encoder, frames, shape[1:], rate)
        except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
            reason = error.strerror if isinstance(error, av.FFmpegError) else "this FFmpeg does not include it"
            raise InputError(
                f"{path.name}: {shape[2]} x {shape[1]} pixels cannot be encoded as {encoder.codec} "
                f"({one_line(reason)}); use another size or format, or a folder of PNG files"
            ) from error


def write_frames(folder: Path, chunks: Iterator[NDArray[Any]], shape: tuple[int, int, int], header: Header) -> int:
    """Write consecutive chunks of a video as frame-00000.png, frame-00001.png, …; return the number of frames.

    The folder is created if it does not exist; existing frames are overwritten. 16 bits and alpha are kept.

    Args:
        folder: Path of the folder, in an existing folder.
        chunks: Samples (n[, channels]) in row-major order.
        shape: Number of frames, height, and width.
        header: Header of the samples.

    Raises:
        InputError: The folder cannot be created or holds the frames of a longer video, or PNG cannot hold the channels.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from error
    if _frame_path(folder, shape[0]).exists():
        raise InputError(f"the folder {folder} holds the frames of a longer video; remove them or choose another")
    channels = tuple("RGB") if header.out_dim == 3 else header.channels
    frame_header = _frame_header(shape[1:], channels, header.dtype, header.low, header.high)
    count = 0
    for samples in rechunk(chunks, shape[1] * shape[2]):
        write_image(_frame_path(folder, count), samples.reshape(*shape[1:], *samples.shape[1:]), frame_header)
        count += 1
    return count


def check_video(path: Path, header: Header) -> None:
    """Raise InputError unless a field with this header can be written as a video to this path."""
    if path.suffix.lower() not in WRITABLE:
        raise InputError(f"{path.name}: a video is written as {', '.join(WRITABLE)}, or to a folder of PNG files")
    if len(header.shape) != 3:
        raise InputError(f"{path.name}: a field over {', '.join(header.domain.axes)} is no video; use .npy")
    if header.out_dim not in (1, 3):
        raise InputError(f"{path.name}: a video has 1 or 3 channels, without alpha; for {header.out_dim} use .npy")
    with extra("video"):
        import av  # noqa: F401


def _check(path: Path, header: Header) -> None:
    """Check a video file or, without a suffix, a folder of PNG files."""
    if path.suffix:
        check_video(path, header)


def _write(path: Path, chunks: Iterator[NDArray[Any]], shape: tuple[int, ...], rate: float, header: Header) -> None:
    """Write a video file or, without a suffix, a folder of PNG files."""
    frames, height, width = shape
    if path.suffix:
        write_video(path, chunks, (frames, height, width), rate, header)
    else:
        write_frames(path, chunks, (frames, height, width), header)


def _decode(file: InputContainer, path: Path, size: int | tuple[int, int] | None) -> Signal:
    with extra("video"):
        import av
    stream = _track(file, path)
    stream.thread_type = "AUTO"
    timestamps: list[int | None] = []
    damaged = False

    def frames() -> Iterator[VideoFrame]:
        nonlocal damaged
        try:
            for frame in file.decode(stream):
                timestamps.append(frame.pts)
                yield frame
        except av.FFmpegError:  # the frames before the damage are used
            damaged = True

    remaining = frames()
    first = next(remaining, None)
    if first is None:
        raise InputError(f"{path} holds no frame that can be decoded; copy it again, or convert it to .mp4")
    turns = round(first.rotation / 90)
    shape = (first.width, first.height) if turns % 2 else (first.height, first.width)
    if size is not None:
        height, width = parse_shape(size, _frame_header(shape, (), "uint8", (0.0,), (255.0,)))
        shape = (height, width)
    if shape[0] * shape[1] > MAX_PIXELS:
        raise InputError(f"{path}: frames of {shape[1]} x {shape[0]} pixels are too large; use a smaller size")
    channels = () if _is_gray(first) else tuple("RGB")
    blocks = (_pixels(frame, shape, turns, channels)[None] for frame in chain([first], remaining))
    values = spill_to_disk(blocks, str(path))
    rate = _rate(stream, timestamps)
    _warn_if_cut(path, len(values), _announced(file, stream, rate), damaged)
    domain = from_samples(values.shape[:3], None, (float(1 / rate), 1.0, 1.0), ("t", "y", "x"), ("s", "px", "px"))
    bands = values.shape[3]
    header = Header("video", domain, values.shape[:3], channels, "uint8", (0.0,) * bands, (255.0,) * bands)
    return Signal(values, header, path.stem)


def _track(file: InputContainer, path: Path) -> VideoStream:
    """The first video track; the cover picture of a sound file is none."""
    with extra("video"):
        from av.stream import Disposition

    tracks = (track for track in file.streams.video if not track.disposition & Disposition.attached_pic)
    track = next(tracks, None)
    if track is None:
        advice = "; save its sound as .wav to fit that" if file.streams.audio else ""
        raise InputError(f"{path} has no video track{advice}")
    if track.codec_context is None:
        raise InputError(f"{path} holds a video that FFmpeg cannot decode; convert it to .mp4")
    return track


def _is_gray(frame: VideoFrame) -> bool:
    return not frame.format.has_palette and all(part.is_luma or part.is_alpha for part in frame.format.components)


def _pixels(frame: VideoFrame, shape: tuple[int, int], turns: int, channels: Sequence[str]) -> NDArray[np.uint8]:
    """A frame as 8 bits (height, width, bands), rotated counterclockwise by quarter turns."""
    height, width = shape[::-1] if turns % 2 else shape
    plain = frame.reformat(width, height, "rgb24" if channels else "gray", interpolation=_EXACT)
    return np.rot90(plain.to_ndarray().reshape(height, width, -1).astype(np.uint8, copy=False), turns)


def _rate(stream: VideoStream, timestamps: Sequence[int | None]) -> Fraction:
    """Frames per second: the rate in the file if it agrees with the timestamps, else the mean rate of the frames."""
    rates = (stream.guessed_rate, stream.average_rate)
    stated = [Fraction(rate.numerator, rate.denominator) for rate in rates if rate] or [Fraction(25)]
    first, last, tick = timestamps[0], timestamps[-1], stream.time_base
    if first is None or last is None or tick is None or last <= first:
        return stated[0]
    steps, duration = len(timestamps) - 1, (last - first) * tick
    return next((rate for rate in stated if abs(steps / rate - duration) <= tick), steps / duration)


def _announced(file: InputContainer, stream: VideoStream, rate: Fraction) -> int:
    """The number of frames that the metadata of the file states; 0 if it does not."""
    with extra("video"):
        import av
    tick = stream.time_base or Fraction(0)
    matroska = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    if stream.duration is not None:
        duration = stream.duration * tick
    elif matroska is not None:
        hours, minutes, seconds = (Fraction(part) for part in matroska.groups())
        duration = 3600 * hours + 60 * minutes + seconds - (stream.start_time or 0) * tick
    elif len(file.streams) == 1:
        duration = Fraction(file.duration or 0, av.time_base) - (stream.start_time or 0) * tick
    else:
        duration = Fraction(0)
    count = int(duration * rate)
    # the stated count includes frames that an edit list skips, and the duration includes a last frame that is held
    return min(count, stream.frames) if stream.frames else count


def _warn_if_cut(path: Path, count: int, announced: int, damaged: bool) -> None:
    if damaged or count < announced:
        total = f" of {announced}" if count < announced else ""
        warnings.warn(f"{path} is cut short or damaged; its first {count}{total} frames are used", stacklevel=4)


def _encode(
    file: OutputContainer, encoder: _Encoder, frames: Iterator[NDArray[Any]], shape: tuple[int, int], rate: float
) -> None:
    """Encode 8-bit frames (height, width, bands)."""
    height, width = (-(-side // encoder.divisor) * encoder.divisor for side in shape)
    exact_rate = Fraction(rate).limit_denominator(10_000)
    stream = cast("VideoStream", file.add_stream(encoder.codec, exact_rate, encoder.options))
    stream.width, stream.height, stream.pix_fmt = width, height, encoder.pixels
    if encoder.pixels != "pal8":
        _set_color_space(stream)
    for pixels in frames:
        padded = np.pad(pixels, ((0, height - shape[0]), (0, width - shape[1]), (0, 0)), "edge")
        rgb = np.broadcast_to(padded, (height, width, 3))
        file.mux(stream.encode(_to_palette(rgb) if encoder.pixels == "pal8" else _to_yuv(rgb)))
    file.mux(stream.encode())


def _set_color_space(stream: VideoStream) -> None:
    """Store the color space in the file, because players assume different ones."""
    with extra("video"):
        from av.video.reformatter import ColorRange

    stream.codec_context.colorspace = _BT709
    stream.codec_context.color_range = ColorRange.MPEG
    stream.codec_context.color_primaries = _BT709
    stream.codec_context.color_trc = _BT709


def _to_yuv(pixels: NDArray[np.uint8]) -> VideoFrame:
    """RGB (height, width, 3) as luma and as chroma of half the resolution (ITU-R BT.709)."""
    with extra("video"):
        from av.video import VideoFrame

    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=_BT709, interpolation=_EXACT)


def _to_palette(pixels: NDArray[np.uint8]) -> VideoFrame:
    """RGB (height, width, 3) in an adaptive palette of 256 colors."""
    with extra("video"):
        from av.video import VideoFrame

    picture = Image.fromarray(pixels).quantize(256)
    palette = np.full((256, 4), 255, np.uint8)  # ARGB
    colors = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
    palette[: len(colors), 1:] = colors
    return VideoFrame.from_ndarray(cast(Any, (np.asarray(picture), palette)), "pal8")


def _frame_path(folder: Path, index: int) -> Path:
    return folder / f"frame-{index:05d}.png"


def _frame_header(
    shape: tuple[int, int], channels: tuple[str, ...], dtype: str, low: tuple[float, ...], high: tuple[float, ...]
) -> Header:
    return Header("image", from_samples(shape, None, None, ("y", "x"), ("px", "px")), shape, channels, dtype, low, high)


register(Format("video", VIDEO_SUFFIXES, read_video, options=("size",), writer=_write, check=_check))
