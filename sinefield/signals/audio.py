"""Sound: WAV, FLAC, OGG, MP3 and the other formats of libsndfile, at any rate and with any number of channels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.extras import extra
from sinefield.files import atomic, check_input
from sinefield.signals.formats import Format, register
from sinefield.signals.scratch import spill_to_disk
from sinefield.signals.signal import Header, Signal, check_finite, iter_chunks

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64")
"""Suffixes of sound files."""

BLOCK_SIZE = 2**18
"""Number of frames that are decoded at once."""

UNKNOWN_LENGTH = 2**31 - 2**16
"""Smallest length in bytes that a recorder writes into a WAV header when it does not know the length."""

_CONTAINER = {".oga": "OGG", ".opus": "OGG", ".aif": "AIFF"}


def read_audio(source: str | Path) -> Signal:
    """Read a sound as a signal over t in seconds.

    Samples are float32 with 1 for full scale. The largest magnitude is mapped to 1, its negative to -1.

    Args:
        source: Path of the file.

    Raises:
        InputError: The file is missing, not a sound, damaged, without samples, or holds NaN.
    """
    path = check_input(Path(source))
    with extra("audio"):
        import soundfile
    try:
        with soundfile.SoundFile(path) as file:
            rate, blocks = file.samplerate, file.blocks(BLOCK_SIZE, dtype="float32", always_2d=True)
            values = spill_to_disk(blocks, f"{path} is a sound file that")
            length = re.search(r"data +: (\d+) \(should be (\d+)\)", file.extra_info)
    except soundfile.SoundFileError as error:
        empty = path.stat().st_size == 0
        found = "is empty (0 bytes)" if empty else f"holds no sound that can be read: {one_line(error)}"
        raise InputError(f"{path} {found}") from error
    if length is not None and int(length[2]) < int(length[1]) < UNKNOWN_LENGTH:
        warnings.warn(f"{path} is cut short; its first {len(values):,} samples are used", stacklevel=2)
    return from_waveform(values, rate, path.stem)


def from_waveform(values: NDArray[Any], rate: float, name: str = "sound") -> Signal:
    """Return a sound as a signal over t in seconds; the first frame is at t = 0.

    Args:
        values: Samples (frames) or (frames, channels).
        rate: Frames per second.
        name: Name for messages and figures.

    Raises:
        InputError: The samples hold NaN or infinity.
    """
    values = values[:, None] if values.ndim == 1 else values
    check_finite(values, name)
    peak = max(float(np.abs(chunk).max()) for _, chunk in iter_chunks(values)) or 1.0
    count = values.shape[1]
    channels = ((), ("left", "right"))[count - 1] if count <= 2 else tuple(f"c{k}" for k in range(count))
    domain = from_samples(values.shape[:1], step=(1 / rate,), axes=("t",), units=("s",))
    low, high = (-peak,) * count, (peak,) * count
    return Signal(values, Header("audio", domain, values.shape[:1], channels, str(values.dtype), low, high), name)


def write_audio(path: Path, chunks: Iterator[NDArray[Any]], rate: float, header: Header) -> None:
    """Write consecutive chunks of a sound in the default encoding of the format, such as 16 bits for WAV.

    Args:
        path: Path of the file.
        chunks: Samples (n) or (n, channels).
        rate: Frames per second; rounded to an integer.
        header: Header of the sound.

    Raises:
        InputError: The format cannot hold this rate or number of channels, or the path cannot be written.
    """
    with extra("audio"):
        import soundfile
    container = _CONTAINER.get(path.suffix.lower(), path.suffix[1:].upper())
    with atomic(path) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", round(rate), header.out_dim, format=container) as file:
                for chunk in chunks:
                    file.write(chunk.astype(np.float32))
        except (soundfile.SoundFileError, ValueError, TypeError) as error:
            raise InputError(
                f"{path.name}: {round(rate):,} samples a second in {header.out_dim} channels cannot be written in this "
                f"format ({one_line(error)}); try .wav"
            ) from error


def check_audio(path: Path, header: Header) -> None:
    """Raise InputError unless a field with this header can be written as a sound."""
    if header.domain.units != ("s",):
        raise InputError(f"{path.name}: a field over {', '.join(header.domain.axes)} is no sound; use .npy")
    with extra("audio"):
        import soundfile  # noqa: F401


register(
    Format(
        "audio",
        AUDIO_SUFFIXES,
        read_audio,
        writer=lambda path, chunks, shape, rate, header: write_audio(path, chunks, rate, header),
        check=check_audio,
    )
)
