"""A video: the fit to be seen beside the truth, its exact derivative in time, and the quality of each frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sinefield.field.export import render_to
from sinefield.field.field import Field
from sinefield.field.grayscale import limit, signed
from sinefield.reports import figures
from sinefield.signals import Signal

FRAMES = 4
"""Of a video are on its sheet."""

LARGEST = 2**22
"""Points at which the time derivative is evaluated for its film; a larger video is reduced to that."""


def video(
    folder: Path, field: Field, signal: Signal, progress: Callable[[float], None] | None = None
) -> dict[str, str]:
    """The fit and its time derivative as videos, and a sheet of some frames."""
    header = signal.header
    smaller = max((signal.size / LARGEST) ** 0.5, 1.0)
    t, *rest = header.shape
    size = (t, *(max(int(n / smaller), 1) for n in rest))
    files = {"render": folder / "render.mp4", "dt": folder / "dt.mp4", "sheet": folder / "sheet.png"}
    render_to(files["render"], field, progress=None if progress is None else lambda done: progress(0.5 * done))
    render_to(
        files["dt"],
        field,
        "dt",
        size=size,
        progress=None if progress is None else lambda done: progress(0.5 + 0.5 * done),
    )
    sheet(files["sheet"], field, signal)
    return {name: str(path) for name, path in files.items()}


def sheet(path: Path, field: Field, signal: Signal) -> None:
    """A few frames: truth, field, error and ∂Φ/∂t; below them the PSNR of each frame and the training curve."""
    header, made = signal.header, field.made
    t, step = header.domain.centers(header.shape)[0], header.step[0]
    chosen = np.unique(np.linspace(0, len(t) - 1, FRAMES).round().astype(int)).tolist()

    def at(frame: int, layer: str) -> NDArray[Any]:
        crop = [(t[frame] - step / 4, t[frame] + step / 4), (None, None), (None, None)]
        found: NDArray[Any] = field.render(crop=crop, quantity=layer)[0]
        return found

    reference = [np.asarray(signal.samples[frame]) for frame in chosen]
    found, slopes = ([at(frame, layer) for frame in chosen] for layer in ("value", "dt"))
    most = limit(np.stack([signed(slope) for slope in slopes]))
    height, width = header.shape[1:]
    with figures.figure_at(path, (3 * len(chosen) + 2, 3 * 4 * min(height / width, 1.5) + 4.5)) as figure:
        top, bottom = cast(Any, figure).subfigures(2, 1, height_ratios=[3 * 4 * min(height / width, 1.5), 3.2])
        rows = top.subplots(4, len(chosen), squeeze=False)
        for column, frame in enumerate(chosen):
            figures.picture_at(
                rows[0, column], figures.as_colors(reference[column], header), f"frame {frame}, {t[frame]:.2f} s"
            )
            quality = (
                f"the field, {made['psnr_frames_db'][frame]:.1f} dB" if len(t) == len(made["psnr_frames_db"]) else ""
            )
            figures.picture_at(rows[1, column], figures.as_colors(found[column], header), quality)
            figures.error_map(rows[2, column], header, reference[column], found[column])
            figures.scaled_at(rows[3, column], signed(slopes[column]), "∂Φ/∂t, per second", "RdBu_r", -most, most)
        one, two = bottom.subplots(1, 2)
        one.plot(made["psnr_frames_db"])
        mean, deviation = made["psnr_mean_db"], made["psnr_std_db"]
        one.set(xlabel="frame", ylabel="PSNR in dB", title=f"each frame: {mean:.2f} ± {deviation:.2f} dB")
        one.grid(alpha=0.3)
        one.xaxis.get_major_locator().set_params(integer=True)
        figures.training_curve(two, made["history"])
