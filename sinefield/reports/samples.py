"""Report of an array or of scattered samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.field.grayscale import robust_limit
from sinefield.progress import Progress, ProgressCallback, ignore
from sinefield.reports import figures
from sinefield.reports.figures import Axes
from sinefield.reports.registry import register_report
from sinefield.sampling.permutation import Permutation
from sinefield.signals import Signal

MAX_SAMPLES = 20_000
"""Number of samples above which a random subset is drawn."""

MAX_POINTS = 1024
"""Largest number of points along an axis of the plane that is drawn."""

MIN_POINTS = 256
"""Smallest number of points along an axis of the plane that is drawn."""


@register_report("array")
@register_report("points")
def samples(folder: Path, field: Field, signal: Signal, progress: ProgressCallback = ignore) -> dict[str, str]:
    """Write a figure of a field and its samples, the error at the samples, and the training curve."""
    path, header = folder / "sheet.png", signal.header
    count = signal.size
    indices = np.arange(count) if count <= MAX_SAMPLES else np.sort(Permutation(count, (0,))[:MAX_SAMPLES])
    coords, values = signal.at(indices)
    channel = header.channels[0] if header.channels else "value"
    reference, fitted = values[:, 0].astype(float), field.at(coords)[:, 0].astype(float)
    with figures.saved_figure(path, (12, 8)) as figure:
        (one, two), (three, four) = figure.subplots(2, 2)
        if header.domain.dim == 1:
            _draw_curve(one, field, coords[:, 0], reference, channel)
        else:
            _draw_plane(one, field, channel)
        _draw_error(two, field, coords, fitted - reference, channel)
        _draw_scatter(three, field, reference, fitted, channel)
        figures.draw_psnr_curve(four, field.info.history)
    progress(Progress(1.0))
    return {"sheet": str(path)}


def _draw_curve(axes: Axes, field: Field, x: NDArray[Any], values: NDArray[Any], channel: str) -> None:
    """Draw a field over one axis, and its samples."""
    domain = field.header.domain
    fine = np.linspace(domain.lower[0], domain.upper[0], 4 * MAX_POINTS)
    axes.plot(x, values, ".", markersize=4, color=figures.COLORS[0], label="Samples")
    axes.plot(fine, field.at(fine[:, None])[:, 0], linewidth=1, color=figures.COLORS[1], label="Field")
    axes.set(xlabel=_axis_label(field, 0), ylabel=channel, title="Field and samples")
    axes.legend(frameon=False)


def _draw_plane(axes: Axes, field: Field, channel: str) -> None:
    """Draw a field over two axes, in the middle of the others."""
    domain, (across, along) = field.header.domain, _displayed_axes(field)
    shape = [1] * domain.dim
    for axis in (across, along):
        shape[axis] = min(max(field.header.shape[axis], MIN_POINTS), MAX_POINTS)
    points = np.stack(np.meshgrid(*domain.centers(shape), indexing="ij"), axis=-1)
    values = field.at(points)[..., 0]
    plane = np.moveaxis(values, (along, across), (0, 1)).reshape(shape[along], shape[across])
    extent = (domain.lower[across], domain.upper[across], domain.lower[along], domain.upper[along])
    image = axes.imshow(plane, extent=extent, origin="lower", aspect="auto", cmap="viridis")
    others = [k for k in range(domain.dim) if k not in (across, along)]
    planes = [f"{domain.axes[k]} = {domain.center[k]:.4g} {domain.units[k]}".rstrip() for k in others]
    _label_axes(axes, field, f"Field at {', '.join(planes)}" if planes else "Field")
    figures.draw_color_bar(axes, image, channel)


def _draw_error(axes: Axes, field: Field, coords: NDArray[Any], error: NDArray[Any], channel: str) -> None:
    """Draw the error at the coordinates of the samples, along one or two axes."""
    label, title = f"Error of {channel}", "Error at the samples (field - reference)"
    if coords.shape[1] == 1:
        axes.plot(coords[:, 0], error, ".", markersize=3)
        axes.set(xlabel=_axis_label(field, 0), ylabel=label, title=title)
        return
    limit, (across, along) = robust_limit(error) or 1.0, _displayed_axes(field)
    points = axes.scatter(
        coords[:, across], coords[:, along], c=error, s=4, cmap="RdBu_r", vmin=-limit, vmax=limit, rasterized=True
    )
    _label_axes(axes, field, title)
    figures.draw_color_bar(axes, points, label)


def _draw_scatter(axes: Axes, field: Field, reference: NDArray[Any], fitted: NDArray[Any], channel: str) -> None:
    """Draw the values of the field against those of the samples."""
    quality = field.info.quality
    title = f"Field against reference, {figures.decibels(quality.get('psnr_db'))}"
    if "psnr_holdout_db" in quality:
        title += f" (held-out samples {figures.decibels(quality['psnr_holdout_db'])})"
    ends = [reference.min(), reference.max()]
    axes.plot(ends, ends, color="0.6", linewidth=1)
    axes.plot(reference, fitted, ".", markersize=3, color=figures.COLORS[0], rasterized=True)
    axes.set(xlabel=f"Reference {channel}", ylabel=f"Field {channel}", title=title)


def _displayed_axes(field: Field) -> tuple[int, int]:
    """Return the horizontal and the vertical axis of a figure: x and y of points; columns and rows of an array."""
    dim = field.header.domain.dim
    return (0, 1) if field.header.kind == "points" else (dim - 1, dim - 2)


def _label_axes(axes: Axes, field: Field, title: str) -> None:
    across, along = _displayed_axes(field)
    axes.set(xlabel=_axis_label(field, across), ylabel=_axis_label(field, along), title=title)
    if field.header.kind != "points":
        axes.invert_yaxis()


def _axis_label(field: Field, axis: int) -> str:
    domain = field.header.domain
    return figures.quantity_label(domain.axes[axis], domain.units[axis])
