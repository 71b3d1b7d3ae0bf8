"""Report of a sound."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.progress import ProgressCallback, ignore
from sinefield.reports import figures
from sinefield.reports.figures import Axes
from sinefield.reports.registry import register_report
from sinefield.signals import Signal
from sinefield.signals.audio import write_audio

MAX_SAMPLES = 2**21
"""Number of samples, from the beginning of a sound, that are drawn and written."""

DETAIL_SECONDS = 0.01
"""Duration of the detail in seconds."""

DETAIL_SCALE = 8
"""Points of the field per sample in the detail."""

MAX_COLUMNS = 1200
"""Largest number of columns of a waveform."""

FLOOR_DB = -100
"""Lower end of the scale of a spectrogram, in dB relative to full scale."""


@register_report("audio")
def sound(folder: Path, field: Field, signal: Signal, progress: ProgressCallback = ignore) -> dict[str, str]:
    """Write the sound of the field, the error as a sound, and a figure of waveforms and spectrograms."""
    header, rate = signal.header, 1 / signal.header.step[0]
    count = min(signal.size, MAX_SAMPLES)
    end = (count - 0.5) / rate + header.domain.lower[0] + 0.5 / rate
    fitted = field.render(crop=[(None, end if count < signal.size else None)], progress=progress)
    reference = np.asarray(signal.samples[:count])
    files = {"render": folder / "render.wav", "error": folder / "error.wav", "sheet": folder / "sheet.png"}
    write_audio(files["render"], iter([fitted]), rate, header)
    write_audio(files["error"], iter([fitted - reference]), rate, header)
    sheet(files["sheet"], field, reference.reshape(count, -1), fitted.reshape(count, -1), rate)
    return {name: str(path) for name, path in files.items()}


def sheet(path: Path, field: Field, reference: NDArray[Any], fitted: NDArray[Any], rate: float) -> None:
    """Save a figure of waveforms, error, spectrograms and a detail; of several channels, the mean is drawn.

    Args:
        path: Path of the figure.
        field: The field.
        reference, fitted: Samples of the sound and of the field, shape (n, channels).
        rate: Samples per second.
    """
    start, info = field.header.domain.lower[0] + 0.5 / rate, field.info
    t, sound, estimate = start + np.arange(len(reference)) / rate, reference.mean(axis=1), fitted.mean(axis=1)
    limit = 1.05 * abs(sound).max() or 1
    quality = f"{figures.decibels(info.quality['psnr_db'])}, {info.parameters:,} parameters"
    waveforms = {
        f"Reference, {t[-1] - t[0] + 1 / rate:.3g} s at {rate:,.0f} Hz": sound,
        f"Field, {quality}": estimate,
        "Error, on the same scale": estimate - sound,
    }
    with figures.saved_figure(path, (12, 8)) as figure:
        top, (left, middle, right) = figure.subplots(2, 3)
        for axes, (title, values) in zip(top, waveforms.items(), strict=True):
            _draw_waveform(axes, t, values)
            axes.set(xlabel="Time (s)", ylabel="Amplitude", ylim=(-limit, limit), title=title)
        _draw_spectrogram(left, sound, rate, start, "Reference spectrogram")
        _draw_spectrogram(middle, estimate, rate, start, "Field spectrogram")
        _draw_detail(right, field, t, sound, rate)


def _draw_waveform(axes: Axes, t: NDArray[Any], values: NDArray[Any]) -> None:
    """Draw a waveform as the range of values in each column."""
    size = math.ceil(len(values) / MAX_COLUMNS)
    starts = np.arange(0, len(values), size)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    if size == 1:
        axes.plot(t, values, linewidth=0.8, color=figures.COLORS[0])
    else:
        axes.fill_between(t[starts], low, high, linewidth=0.3, color=figures.COLORS[0])


def _draw_spectrogram(axes: Axes, values: NDArray[Any], rate: float, start: float, title: str) -> None:
    from scipy.signal import spectrogram

    size = min(1024, len(values))
    frequency, t, power = spectrogram(values, rate, nperseg=size, noverlap=size // 2, scaling="spectrum")
    level = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
    every = math.ceil(len(t) / 1000)
    image = axes.pcolormesh(
        t[::every] + start, frequency / 1000, level[:, ::every], cmap="magma", vmin=FLOOR_DB, vmax=0
    )
    axes.set(xlabel="Time (s)", ylabel="Frequency (kHz)", title=title)
    figures.draw_color_bar(axes, image, "Level (dB)")


def _draw_detail(axes: Axes, field: Field, t: NDArray[Any], sound: NDArray[Any], rate: float) -> None:
    """Draw the field between the samples, where the sound is loudest."""
    width = max(int(DETAIL_SECONDS * rate), 8)
    first = int(np.clip(np.argmax(abs(sound)) - width // 2, 0, max(len(sound) - width, 0)))
    part = slice(first, first + width)
    fine = field.render(crop=[(t[part][0], t[part][-1] + 0.5 / rate)], scale=DETAIL_SCALE)
    coords = t[part][0] - 0.5 / rate + (np.arange(len(fine)) + 0.5) / (DETAIL_SCALE * rate)
    axes.plot(t[part], sound[part], ".", markersize=4, color=figures.COLORS[0], label="Samples")
    axes.plot(coords, fine.reshape(len(fine), -1).mean(axis=1), color=figures.COLORS[1], linewidth=1, label="Field")
    axes.set(xlabel="Time (s)", ylabel="Amplitude", title=f"Loudest {1000 * width / rate:.3g} ms")
    axes.margins(y=0.2)  # room for the legend
    axes.legend(loc="upper right", ncols=2, frameon=False)
