"""Report of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.field.export import render_to
from sinefield.field.field import Field
from sinefield.field.grayscale import channel_mean, robust_limit
from sinefield.progress import ProgressCallback, ignore, subtask
from sinefield.reports import figures
from sinefield.reports.figures import Axes
from sinefield.reports.registry import register_report
from sinefield.signals import Signal

FRAMES = 4
"""Number of frames in the figure."""

MAX_POINTS = 2**22
"""Number of points above which the video of the time derivative has smaller frames."""

MAX_HEIGHT = 1.5
"""Largest ratio of height to width of a frame in the figure."""


@register_report("video")
def video(folder: Path, field: Field, signal: Signal, progress: ProgressCallback = ignore) -> dict[str, str]:
    """Write the video of the field, a video of its time derivative, and a figure of several frames."""
    reduction = max((signal.size / MAX_POINTS) ** 0.5, 1.0)
    t, *sides = signal.header.shape
    size = (t, *(max(int(n / reduction), 1) for n in sides))
    files = {"render": folder / "render.mp4", "dt": folder / "dt.mp4", "sheet": folder / "sheet.png"}
    render_to(files["render"], field, progress=subtask(progress, 0.0, 0.5))
    render_to(files["dt"], field, "dt", size=size, progress=subtask(progress, 0.5, 1.0))
    sheet(files["sheet"], field, signal)
    return {name: str(path) for name, path in files.items()}


def sheet(path: Path, field: Field, signal: Signal) -> None:
    """Save a figure of several frames: reference, field, error and ∂Φ/∂t; below, PSNR by frame and training curve."""
    header = signal.header
    t, height = header.domain.centers(header.shape)[0], 12 * min(header.shape[1] / header.shape[2], MAX_HEIGHT) + 1.2
    frames = np.unique(np.linspace(0, len(t) - 1, FRAMES).round().astype(int)).tolist()
    values, slopes = ([_frame(field, t[index], quantity) for index in frames] for quantity in ("value", "dt"))
    limit = robust_limit(np.stack([channel_mean(slope) for slope in slopes]))
    psnrs = field.info.quality["psnr_frames_db"]
    with figures.saved_figure(path, (3 * len(frames) + 2, height + 3.4)) as figure:
        top, bottom = figures.stacked(figure, [height, 3.4])
        rows = top.subplots(4, len(frames), squeeze=False)
        for column, index, value, slope in zip(rows.T, frames, values, slopes, strict=True):
            reference = np.asarray(signal.samples[index])
            quality = f", {psnrs[index]:.1f} dB" if len(t) == len(psnrs) else ""
            title = f"Frame {index}, {t[index]:.2f} s"
            figures.draw_picture(column[0], figures.as_colors(reference, header), title)
            figures.draw_picture(column[1], figures.as_colors(value, header), f"Field{quality}")
            figures.draw_error(column[2], header, reference, value)
            figures.draw_signed(column[3], channel_mean(slope), "Time derivative (1/s)", limit)
        left, right = bottom.subplots(1, 2)
        _draw_frame_quality(left, field)
        figures.draw_psnr_curve(right, field.info.history)


def _frame(field: Field, time: float, quantity: str) -> NDArray[Any]:
    """Return the frame at a time."""
    quarter = field.header.step[0] / 4
    crop = [(time - quarter, time + quarter), (None, None), (None, None)]
    frame: NDArray[Any] = field.render(crop=crop, quantity=quantity)[0]
    return frame


def _draw_frame_quality(axes: Axes, field: Field) -> None:
    quality = field.info.quality
    axes.plot(quality["psnr_frames_db"])
    mean, deviation = quality["psnr_mean_db"], quality["psnr_std_db"]
    axes.set(xlabel="Frame", ylabel="PSNR (dB)", title=f"PSNR by frame, {mean:.2f} ± {deviation:.2f} dB")
    axes.grid(alpha=0.3)
    axes.locator_params(axis="x", integer=True)
