"""Report of the solution of an equation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain, from_samples
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.field.grayscale import robust_limit
from sinefield.files import make_folder
from sinefield.problems.problem import Problem
from sinefield.progress import Progress, ProgressCallback, ignore, subtask
from sinefield.reports import figures
from sinefield.reports.figures import Axes
from sinefield.signals import Header
from sinefield.signals.video import write_video

PIXELS = 192
"""Pixels along each side of a plane in the figure."""

TIMES = 4
"""Number of times in the figure of a solution that depends on time."""

FRAMES = 96
"""Number of frames of the animation."""

FRAME_RATE = 24
"""Frames of the animation per second."""

FRAME_PIXELS = 384
"""Pixels along each side of the animation."""

COMPLEX_CHANNELS = ("re", "im")
"""Channels of a complex solution."""

CHANNEL_NAMES = {"re": "real part", "im": "imaginary part"}
"""Names of channels in titles."""


class View(NamedTuple):
    """One channel in a plane of the domain.

    Attributes:
        label: Part of the title that names the channel or the time.
        channel: Index of the channel.
        points: Points of the plane, shape (rows, columns, d).
    """

    label: str
    channel: int
    points: NDArray[np.float64]


def solution_report(
    folder: Path, field: Field, problem: Problem, progress: ProgressCallback | None = None
) -> dict[str, str]:
    """Write a figure of a solution, and an animation if it depends on time or is complex.

    Args:
        folder: Folder for the files, which is created if necessary.
        field: Field that was made by `sinefield.solve`.
        problem: The problem, over two coordinates, or over time and two coordinates.
        progress: Called with the completed share.

    Returns:
        Paths of the files by what they show.

    Raises:
        InputError: The problem has another number of coordinates.
    """
    if problem.domain.dim not in (2, 3):
        raise InputError(
            f"a report shows solutions over two coordinates, or over time and two coordinates; {problem.name} has "
            f"{problem.domain.dim}"
        )
    files = {"sheet": make_folder(folder) / "sheet.png"}
    report = progress or ignore
    sheet(files["sheet"], field, problem)
    report(Progress(0.3))
    if problem.domain.dim == 3 or problem.channels == COMPLEX_CHANNELS:
        files["film"] = folder / "film.mp4"
        animation(files["film"], field, problem, subtask(report, 0.3, 1.0))
    return {name: str(path) for name, path in files.items()}


def sheet(path: Path, field: Field, problem: Problem) -> None:
    """Save a figure with one row for each channel or time: field, reference and error; below, the training curve."""
    rows, domain = views(field, problem), problem.display_domain or problem.domain
    columns = 3 if problem.reference is not None else 1
    width = max(3.4 * columns + 0.4, 6)
    with figures.saved_figure(path, (width, 2.9 * len(rows) + 2.6)) as figure:
        top, bottom = figures.stacked(figure, [2.9 * len(rows), 2.6])
        for axes, view in zip(top.subplots(len(rows), columns, squeeze=False), rows, strict=True):
            points, shape = view.points.reshape(-1, view.points.shape[-1]), view.points.shape[:2]
            values = field.at(points)[:, view.channel].reshape(shape)
            if problem.reference is None:
                _draw_signed(axes[0], domain, values, f"Field{view.label}", robust_limit(values))
                continue
            reference = problem.reference(points)[:, view.channel].reshape(shape)
            limit, error = robust_limit(reference), np.abs(values - reference)
            _draw_signed(axes[0], domain, values, f"Field{view.label}", limit)
            _draw_signed(axes[1], domain, reference, f"Reference{view.label}", limit)
            _draw_plane(axes[2], domain, error, "Absolute error", "inferno", 0, robust_limit(error))
        error_ratio = field.info.quality.get("relative_l2")
        title = "Training curve" if error_ratio is None else f"Training curve, relative L² error {error_ratio:.1e}"
        figures.draw_loss_curve(bottom.subplots(), field.info.history, "Validation loss", title)


def views(field: Field, problem: Problem) -> list[View]:
    """Return all channels of a stationary solution, or the first channel at several times."""
    domain = problem.display_domain or problem.domain
    if domain.dim == 2:
        points = _plane(domain, [], PIXELS)
        names = field.header.channels or ("",)
        labels = [f", {CHANNEL_NAMES.get(name, name)}" if name else "" for name in names]
        return [View(label, channel, points) for channel, label in enumerate(labels)]
    unit = domain.units[0]
    return [
        View(f" at {domain.axes[0]} = {time:.3g} {unit}".rstrip(), 0, _plane(domain, [time], PIXELS))
        for time in np.linspace(domain.lower[0], domain.upper[0], TIMES)
    ]


def animation(path: Path, field: Field, problem: Problem, progress: ProgressCallback = ignore) -> None:
    """Write a video of u over time, or of Re(u exp(iωt)) over two periods for a complex u.

    Negative values are blue, zero is white, and positive values are red.
    """
    domain = problem.display_domain or problem.domain
    if domain.dim == 3:
        limit, values = _mean_limit(field, domain), _over_time(field, domain)
    else:
        complex_values = field.at(_plane(domain, [], FRAME_PIXELS).reshape(-1, 2))
        limit, values = robust_limit(np.hypot(*complex_values.T)), _over_phase(complex_values)
    header = Header("video", from_samples((1, 1, 1)), (1, 1, 1), ("R", "G", "B"), "uint8", (0.0,) * 3, (255.0,) * 3)

    def frames() -> Iterator[NDArray[np.uint8]]:
        for index, frame in enumerate(values):
            yield figures.colormap(frame, "RdBu_r", limit)
            progress(Progress((index + 1) / FRAMES))

    write_video(path, frames(), (FRAMES, FRAME_PIXELS, FRAME_PIXELS), FRAME_RATE, header)


def _over_time(field: Field, domain: Domain) -> Iterator[NDArray[Any]]:
    for time in np.linspace(domain.lower[0], domain.upper[0], FRAMES):
        yield field.at(_plane(domain, [time], FRAME_PIXELS).reshape(-1, 3))[:, 0]


def _over_phase(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for index in range(FRAMES):
        phase = 4 * np.pi * index / FRAMES
        yield values[:, 0] * np.cos(phase) - values[:, 1] * np.sin(phase)


def _mean_limit(field: Field, domain: Domain) -> float:
    """Return the limit of the colors of an animation: the mean over time, since the initial pulse is much higher."""
    times = np.linspace(domain.lower[0], domain.upper[0], TIMES)
    return float(np.mean([robust_limit(field.at(_plane(domain, [time], PIXELS).reshape(-1, 3))) for time in times]))


def _plane(domain: Domain, fixed: Sequence[float], pixels: int) -> NDArray[np.float64]:
    """Return points of the plane of the last two axes, shape (pixels, pixels, d), with the first coordinates fixed."""
    axes = [np.linspace(domain.lower[k], domain.upper[k], pixels) for k in range(len(fixed), len(fixed) + 2)]
    grid = np.meshgrid(*([value] for value in fixed), *axes, indexing="ij")
    return np.stack(grid, axis=-1).reshape(pixels, pixels, -1)


def _draw_signed(axes: Axes, domain: Domain, values: NDArray[Any], title: str, limit: float) -> None:
    _draw_plane(axes, domain, values, title, "RdBu_r", -limit, limit)


def _draw_plane(
    axes: Axes, domain: Domain, values: NDArray[Any], title: str, colors: str, low: float, high: float
) -> None:
    extent = (domain.lower[-1], domain.upper[-1], domain.upper[-2], domain.lower[-2])
    image = axes.imshow(values, cmap=colors, vmin=low, vmax=high or 1, extent=extent)
    axes.set(title=title, xticks=extent[:2], yticks=extent[2:])
    axes.set_xlabel(figures.quantity_label(domain.axes[-1], domain.units[-1]), labelpad=-8)
    axes.set_ylabel(figures.quantity_label(domain.axes[-2], domain.units[-2]), labelpad=-8)
    figures.draw_color_bar(axes, image)
