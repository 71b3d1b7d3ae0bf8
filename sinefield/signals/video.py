"""Video: what FFmpeg reads; MP4, MOV, MKV, WebM, GIF, or a folder of PNG out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video import VideoFrame, VideoStream
from av.video.reformatter import ColorRange
from numpy.typing import NDArray
from PIL import Image

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.files import atomic, check_input
from sinefield.signals.chunks import rechunk
from sinefield.signals.image import MAX_PIXELS, to_bytes, write_image
from sinefield.signals.scratch import spill_to_disk
from sinefield.signals.signal import Header, Signal, parse_shape

WRITABLE = (".mp4", ".mov", ".mkv", ".webm", ".gif")

VIDEO_SUFFIXES = (
    *WRITABLE,
    *(".m4v", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp", ".apng", ".y4m"),
)

_BT709 = 1  # as ITU-T H.273 numbers its matrix, its primaries and its transfer alike

# libswscale's SWS_BILINEAR, SWS_FULL_CHR_H_INT, SWS_FULL_CHR_H_INP and SWS_ACCURATE_RND, not all of which older PyAV
# names: without the last three, colours come out a level or two too dark
_EXACT = 0x2 | 0x2000 | 0x4000 | 0x40000


def read_video(path: str | Path, size: int | tuple[int, int] | None = None) -> Signal:
    """A video as a signal over t in seconds and (y, x) in pixels; its first frame is at t = 0, without its sound.

    Frames are taken as equally spaced, at their mean rate where they are not, and upright; they are RGB, or one channel
    where they are stored as greys, of 8 bits. They lie on disk, memory-mapped.

    Args:
        path: of the video.
        size: of the frames, the longest side or (height, width), in pixels; bilinear and antialiased.

    Raises:
        InputError: the file is missing, empty, no video or without a frame that can be decoded.
    """
    path = check_input(Path(path))
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)")
    try:
        # what stands before a colon in a relative path would be taken for a protocol
        with av.open(path.absolute()) as file:
            return _decoded(file, path, size)
    except av.FFmpegError as error:
        raise InputError(
            f"{path} is damaged or no video ({one_line(error.strerror)}); copy it again, or save it anew as .mp4"
        ) from error
    except UnicodeDecodeError as error:  # PyAV before 19
        raise InputError(f"{path} has a title or another label that is not UTF-8; save it anew as .mp4") from error


def write_video(
    path: Path, pieces: Iterator[NDArray[Any]], shape: tuple[int, int, int], rate: float, header: Header
) -> None:
    """Write samples over (t, y, x) as the kind of video that the suffix names, in high quality, a frame at a time.

    MP4, MOV and MKV are H.264 that plays everywhere, which has even sides only: the last row or column of an odd one is
    repeated. A GIF has 256 colours, its own for each frame.

    Args:
        path: ends in one of `WRITABLE`.
        pieces: consecutive samples (n[, channels]) in the order of the grid; the header's range goes to 8 bits.
        shape: frames, height, width.
        rate: frames a second.
        header: of the samples.

    Raises:
        InputError: a format that cannot hold the channels, the size or the rate, or a place that cannot be written.
    """
    check_video(path, header)
    encoder = _ENCODERS[path.suffix.lower()]
    if not 1e-3 <= rate <= encoder.fastest:
        raise InputError(f"{path.name}: {rate:g} frames a second; this format takes 0.001 to {encoder.fastest:,}")
    height, width = (-(-side // encoder.even) * encoder.even for side in shape[1:])
    with atomic(path) as temporary:
        try:
            with av.open(temporary, "w") as file:
                exact = Fraction(rate).limit_denominator(10_000)
                stream = cast(VideoStream, file.add_stream(encoder.codec, exact, encoder.options))
                stream.width, stream.height, stream.pix_fmt = width, height, encoder.pixels
                if encoder.pixels != "pal8":
                    _tag(stream)
                for samples in rechunk(pieces, shape[1] * shape[2]):
                    frame = to_bytes(samples, header).reshape(*shape[1:], -1)
                    frame = np.pad(frame, ((0, height - shape[1]), (0, width - shape[2]), (0, 0)), "edge")
                    frame = np.broadcast_to(frame, (height, width, 3))
                    file.mux(stream.encode(_paletted(frame) if encoder.pixels == "pal8" else _in_yuv(frame)))
                file.mux(stream.encode())
        except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
            why = error.strerror if isinstance(error, av.FFmpegError) else "this FFmpeg is without it"
            raise InputError(
                f"{path.name}: {shape[2]} x {shape[1]} pixels cannot be encoded as {encoder.codec} "
                f"({one_line(why)}); take another size or format, or a folder of PNG"
            ) from error


def write_frames(folder: Path, pieces: Iterator[NDArray[Any]], shape: tuple[int, int, int], header: Header) -> int:
    """Write samples over (t, y, x) as frame-00000.png and so on, and say how many.

    The folder is made if need be; frames of these names in it are overwritten.

    Args:
        folder: its own folder is there.
        pieces, shape, header: as for `write_video`; 16 bits and alpha are kept.

    Raises:
        InputError: a folder that cannot be made or holds the frames of a longer video, channels that PNG cannot hold.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from error
    if _frame_path(folder, shape[0]).exists():
        raise InputError(f"the folder {folder} holds the frames of a longer video; remove them or choose another")
    channels = tuple("RGB") if header.out_dim == 3 else header.channels
    one = _frame_header(shape[1:], channels, header.dtype, header.low, header.high)
    count = 0
    for samples in rechunk(pieces, shape[1] * shape[2]):
        write_image(_frame_path(folder, count), samples.reshape(*shape[1:], *samples.shape[1:]), one)
        count += 1
    return count


def check_video(path: Path, header: Header) -> None:
    """Raise InputError unless a video of a field with this header can be written under this suffix."""
    if path.suffix.lower() not in WRITABLE:
        raise InputError(f"{path.name}: a video is written as {', '.join(WRITABLE)}, or to a folder of PNG")
    if len(header.shape) != 3:
        raise InputError(f"{path.name}: a field over {', '.join(header.domain.axes)} is no video; use .npy")
    if header.out_dim not in (1, 3):
        raise InputError(f"{path.name}: a video has 1 or 3 channels, without alpha; for {header.out_dim} use .npy")


def _decoded(file: InputContainer, path: Path, size: int | tuple[int, int] | None) -> Signal:
    stream = _track(file, path)
    stream.thread_type = "AUTO"
    stamps: list[int | None] = []
    damaged = False

    def frames() -> Iterator[VideoFrame]:
        nonlocal damaged
        try:
            for frame in file.decode(stream):
                stamps.append(frame.pts)
                yield frame
        except av.FFmpegError:  # what came before it is kept
            damaged = True

    remaining = frames()
    first = next(remaining, None)
    if first is None:
        raise InputError(f"{path} holds no frame that can be decoded; copy it again, or save it anew as .mp4")
    turns = round(first.rotation / 90)
    shape = (first.width, first.height) if turns % 2 else (first.height, first.width)
    if size is not None:
        height, width = parse_shape(size, _frame_header(shape, (), "uint8", (0.0,), (255.0,)))
        shape = (height, width)
    if shape[0] * shape[1] > MAX_PIXELS:
        raise InputError(f"{path}: frames of {shape[1]} x {shape[0]} pixels are too large; take a smaller size")
    channels = () if _is_gray(first) else tuple("RGB")
    blocks = (_pixels(frame, shape, turns, channels)[None] for frame in chain([first], remaining))
    values = spill_to_disk(blocks, str(path))
    rate = _rate(stream, stamps)
    _warn_if_cut(path, len(values), _promised(file, stream, rate), damaged)
    domain = from_samples(values.shape[:3], None, (float(1 / rate), 1.0, 1.0), ("t", "y", "x"), ("s", "px", "px"))
    bands = values.shape[3]
    header = Header("video", domain, values.shape[:3], channels, "uint8", (0.0,) * bands, (255.0,) * bands)
    return Signal(values, header, path.stem)


def _track(file: InputContainer, path: Path) -> VideoStream:
    """The first track of moving pictures, which the cover of a record is not."""
    moving = (track for track in file.streams.video if not track.disposition & Disposition.attached_pic)
    track = next(moving, None)
    if track is None:
        sound = "; save its sound as .wav to fit that" if file.streams.audio else ""
        raise InputError(f"{path} has no video track{sound}")
    if track.codec_context is None:
        raise InputError(f"{path} holds a video that FFmpeg cannot decode; save it anew as .mp4")
    return track


def _is_gray(frame: VideoFrame) -> bool:
    return not frame.format.has_palette and all(part.is_luma or part.is_alpha for part in frame.format.components)


def _pixels(frame: VideoFrame, shape: tuple[int, int], turns: int, channels: Sequence[str]) -> NDArray[np.uint8]:
    """A frame as 8 bits (height, width, bands), after so many quarter turns to the left."""
    height, width = shape[::-1] if turns % 2 else shape
    plain = frame.reformat(width, height, "rgb24" if channels else "gray", interpolation=_EXACT)
    return np.rot90(plain.to_ndarray().reshape(height, width, -1).astype(np.uint8, copy=False), turns)


def _rate(stream: VideoStream, stamps: Sequence[int | None]) -> Fraction:
    """Frames a second: as it is written, if the time stamps agree to within a tick of their clock; else their mean."""
    rates = (stream.guessed_rate, stream.average_rate)
    written = [Fraction(rate.numerator, rate.denominator) for rate in rates if rate] or [Fraction(25)]
    first, last, tick = stamps[0], stamps[-1], stream.time_base
    if first is None or last is None or tick is None or last <= first:
        return written[0]
    steps, span = len(stamps) - 1, (last - first) * tick
    return next((rate for rate in written if abs(steps / rate - span) <= tick), steps / span)


def _promised(file: InputContainer, stream: VideoStream, rate: Fraction) -> int:
    """The number of frames that the file announces; 0 if it does not."""
    tick = stream.time_base or Fraction(0)
    matroska = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    if stream.duration is not None:
        seconds = stream.duration * tick
    elif matroska is not None:
        hours, minutes, rest = (Fraction(part) for part in matroska.groups())
        seconds = 3600 * hours + 60 * minutes + rest - (stream.start_time or 0) * tick
    elif len(file.streams) == 1:
        seconds = Fraction(file.duration or 0, av.time_base) - (stream.start_time or 0) * tick
    else:
        seconds = Fraction(0)
    count = int(seconds * rate)
    # the count includes frames that were cut away in editing, the length a last frame that is held
    return min(count, stream.frames) if stream.frames else count


def _warn_if_cut(path: Path, count: int, promised: int, damaged: bool) -> None:
    if damaged or count < promised:
        whole = f" of {promised}" if count < promised else ""
        warnings.warn(f"{path} is cut short or damaged; its first {count}{whole} frames are used", stacklevel=4)


def _tag(stream: VideoStream) -> None:
    """Say which colours are meant; players differ in what they assume."""
    stream.codec_context.colorspace = _BT709
    stream.codec_context.color_range = ColorRange.MPEG
    stream.codec_context.color_primaries = _BT709
    stream.codec_context.color_trc = _BT709


def _in_yuv(pixels: NDArray[np.uint8]) -> VideoFrame:
    """RGB (height, width, 3) as luma, and chroma of half the resolution (ITU-R BT.709)."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    return frame.reformat(
        format="yuv420p",
        dst_colorspace=_BT709,
        interpolation=_EXACT,
    )


def _paletted(pixels: NDArray[np.uint8]) -> VideoFrame:
    """RGB (height, width, 3) in the 256 colours that suit it best."""
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


class _Encoder(NamedTuple):
    codec: str
    pixels: str
    even: int  # sides are multiples of it
    fastest: int  # frames a second that the container's clock can tell apart
    options: dict[str, str]


# almost lossless: a rendered field is worth its bytes
_H264 = _Encoder("libx264", "yuv420p", 2, 10_000, {"crf": "12"})
_VP9 = _Encoder("libvpx-vp9", "yuv420p", 1, 1000, {"crf": "12", "b": "0", "cpu-used": "4", "row-mt": "1"})
_GIF = _Encoder("gif", "pal8", 1, 100, {})
_ENCODERS = {".mp4": _H264, ".mov": _H264, ".mkv": _H264._replace(fastest=1000), ".webm": _VP9, ".gif": _GIF}
