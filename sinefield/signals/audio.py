"""Sound: WAV, FLAC, OGG, MP3 and what else libsndfile reads, at any rate and with any number of channels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from sinefield.domain import from_samples
from sinefield.errors import InputError, one_line
from sinefield.files import atomic, check_input
from sinefield.signals.scratch import spill_to_disk
from sinefield.signals.signal import Header, Signal, check_finite, iter_chunks

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64")

BLOCK, UNKNOWN = 2**18, 2**31 - 2**16
"""Frames that are decoded at once; and the bytes that a recorder promises, at least, if it does not know how many."""

_CONTAINER = {".oga": "OGG", ".opus": "OGG", ".aif": "AIFF"}


def read_audio(source: str | Path) -> Signal:
    """A sound as a signal over t in seconds; its loudest sample, in either direction, goes to ±1.

    Samples are floats, 1 for full scale.

    Raises:
        InputError: the file is missing, no sound, damaged, without samples, or holds NaN.
    """
    path = check_input(Path(source))
    try:
        with soundfile.SoundFile(path) as file:
            rate, blocks = file.samplerate, file.blocks(BLOCK, dtype="float32", always_2d=True)
            values = spill_to_disk(blocks, f"{path} is a sound file that")
            told = re.search(r"data +: (\d+) \(should be (\d+)\)", file.extra_info)
    except soundfile.SoundFileError as error:
        said = (
            "is empty (0 bytes)" if path.stat().st_size == 0 else f"holds no sound that can be read: {one_line(error)}"
        )
        raise InputError(f"{path} {said}") from error
    if told is not None and int(told[2]) < int(told[1]) < UNKNOWN:
        warnings.warn(f"{path} is cut short; its first {len(values):,} samples are used", stacklevel=2)
    return from_waveform(values, rate, path.stem)


def from_waveform(values: NDArray[Any], rate: float, name: str = "sound") -> Signal:
    """The signal of a sound (frames[, channels]) of so many frames a second; its first one is at t = 0."""
    values = values[:, None] if values.ndim == 1 else values
    check_finite(values, name)
    peak = max(float(np.abs(part).max()) for _, part in iter_chunks(values)) or 1.0
    count = values.shape[1]
    channels = ((), ("left", "right"))[count - 1] if count <= 2 else tuple(f"c{k}" for k in range(count))
    domain = from_samples(values.shape[:1], step=(1 / rate,), axes=("t",), units=("s",))
    low, high = (-peak,) * count, (peak,) * count
    return Signal(values, Header("audio", domain, values.shape[:1], channels, str(values.dtype), low, high), name)


def write_audio(path: Path, pieces: Iterator[NDArray[Any]], rate: float, header: Header) -> None:
    """Write consecutive pieces (n[, channels]) as a sound of so many frames a second; 16 bits where the format is PCM.

    Raises:
        InputError: the format cannot hold this rate or so many channels, or the place cannot be written.
    """
    container = _CONTAINER.get(path.suffix.lower(), path.suffix[1:].upper())
    with atomic(path) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", round(rate), header.out_dim, format=container) as file:
                for piece in pieces:
                    file.write(piece.astype(np.float32))
        except (soundfile.SoundFileError, ValueError, TypeError) as error:
            raise InputError(
                f"{path.name}: {round(rate):,} samples a second in {header.out_dim} channels cannot be written so "
                f"({one_line(error)}); try .wav"
            ) from error


def check_audio(path: Path, header: Header) -> None:
    """Raise InputError unless a sound can be written of a field over these axes."""
    if header.domain.units != ("s",):
        raise InputError(f"{path.name}: a field over {', '.join(header.domain.axes)} is no sound; use .npy")
