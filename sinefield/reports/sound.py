"""A sound: waveform and spectrogram of truth and fit, and the error to be heard."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.reports import figures
from sinefield.signals import Signal
from sinefield.signals.audio import write_audio

LONGEST = 2**21
"""Samples of a longer sound that are shown and written, from its beginning."""

DETAIL, FINER = 0.01, 8
"""Seconds that are shown at full resolution, and how much finer the field is sampled there."""

QUIETEST = -100
"""Decibels under full scale where a spectrogram ends."""


def sound(
    folder: Path, field: Field, signal: Signal, progress: Callable[[float], None] | None = None
) -> dict[str, str]:
    """The fit and its error as sounds, and a sheet of waveforms and spectrograms."""
    header, rate = signal.header, 1 / signal.header.step[0]
    count = min(signal.size, LONGEST)
    end = (count - 0.5) / rate + header.domain.lower[0] + 0.5 / rate
    fitted = field.render(crop=[(None, end if count < signal.size else None)], progress=progress)
    reference = np.asarray(signal.samples[:count])
    files = {"render": folder / "render.wav", "error": folder / "error.wav", "sheet": folder / "sheet.png"}
    write_audio(files["render"], iter([fitted]), rate, header)
    write_audio(files["error"], iter([fitted - reference]), rate, header)
    sheet(files["sheet"], field, reference.reshape(count, -1), fitted.reshape(count, -1), rate)
    return {name: str(path) for name, path in files.items()}


def sheet(path: Path, field: Field, reference: NDArray[Any], fitted: NDArray[Any], rate: float) -> None:
    """Waveforms, a detail of them, spectrograms and the training curve on one page.

    Args:
        truth, fitted: (n, channels); of several channels the mean is shown.
    """
    begin, made = field.header.domain.lower[0] + 0.5 / rate, field.made
    t, true, found = begin + np.arange(len(reference)) / rate, reference.mean(axis=1), fitted.mean(axis=1)
    with figures.figure_at(path, (12, 8)) as figure:
        (one, two, three), (four, five, six) = figure.subplots(2, 3)
        _envelope(one, t, true, "the sound")
        one.set_title(f"the sound, {t[-1] - t[0] + 1 / rate:.3g} s at {rate:,.0f} Hz")
        _envelope(two, t, found, "the field")
        two.set_title(f"the field: {made['psnr_db']:.1f} dB, {made['parameters']:,} parameters")
        _envelope(three, t, found - true, "the error")
        three.set_title("the error, on the same scale")
        for axes in (one, two, three):
            axes.set(xlabel="seconds", ylim=(-1.05 * abs(true).max(), 1.05 * abs(true).max() or 1))
        for axes, values, name in ((four, true, "the sound"), (five, found, "the field")):
            _spectrogram(axes, values, rate, begin, f"spectrogram of {name}, dB")
        width = max(int(DETAIL * rate), 8)
        at = int(np.clip(np.argmax(abs(true)) - width // 2, 0, max(len(true) - width, 0)))
        near = slice(at, at + width)
        fine = field.render(crop=[(t[near][0], t[near][-1] + 0.5 / rate)], scale=FINER)
        coords = t[near][0] - 0.5 / rate + (np.arange(len(fine)) + 0.5) / (FINER * rate)
        six.plot(coords, fine.reshape(len(fine), -1).mean(axis=1), color="tab:orange", linewidth=1, label="the field")
        six.plot(t[near], true[near], ".", markersize=3, color="tab:blue", label="the samples")
        six.set(xlabel="seconds", title=f"its loudest {1000 * width / rate:.0f} ms")
        six.legend(loc="upper right", frameon=False)


def _envelope(axes: Axes, t: NDArray[Any], values: NDArray[Any], name: str, columns: int = 1200) -> None:
    """A waveform by the least and the greatest value in each column of the picture."""
    size = math.ceil(len(values) / columns)
    starts = np.arange(0, len(values), size)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    if size == 1:
        axes.plot(t, values, linewidth=0.8)
    else:
        axes.fill_between(t[starts], low, high, linewidth=0.3, edgecolor="tab:blue")


def _spectrogram(axes: Axes, values: NDArray[Any], rate: float, begin: float, title: str) -> None:
    from scipy.signal import spectrogram

    size = min(1024, len(values))
    frequency, t, power = spectrogram(values, rate, nperseg=size, noverlap=size // 2, scaling="spectrum")
    level = 10 * np.log10(np.maximum(power, 10 ** (QUIETEST / 10)))
    columns = math.ceil(len(t) / 1000)
    drawn = axes.pcolormesh(
        t[::columns] + begin, frequency / 1000, level[:, ::columns], cmap="magma", vmin=QUIETEST, vmax=0
    )
    axes.set(xlabel="seconds", ylabel="kHz", title=title)
    axes.figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02)
