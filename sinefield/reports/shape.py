"""Report of a shape."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from sinefield.field.contour import contour
from sinefield.field.field import Field
from sinefield.field.grayscale import robust_limit
from sinefield.field.sphere_trace import sphere_trace
from sinefield.progress import ProgressCallback, ignore, subtask
from sinefield.reports import figures
from sinefield.reports.figures import Axes
from sinefield.reports.registry import register_report
from sinefield.signals import Signal
from sinefield.signals.mesh import Mesh, distances_to_mesh, write_mesh
from sinefield.signals.surface import Surface
from sinefield.tasks.shape import CELLS

SLICE_PIXELS = 256
"""Pixels along each side of the slice through the signed distance."""

SLICE_LEVELS = 20
"""Approximate number of levels in the slice."""

MAX_POINTS = 20_000
"""Number of points above which a random subset is compared with the mesh."""


@register_report("shape")
def shape(folder: Path, field: Field, signal: Signal, progress: ProgressCallback = ignore) -> dict[str, str]:
    """Write the mesh of a shape, and a figure: four views, a slice, distances of the samples and the training curve."""
    assert isinstance(signal, Surface)
    files = {"sheet": folder / "sheet.png", "mesh": folder / "mesh.ply"}
    mesh = contour(field, resolution=CELLS, progress=subtask(progress, 0.0, 0.4))
    write_mesh(files["mesh"], mesh)
    views = sphere_trace(field, progress=subtask(progress, 0.4, 1.0))
    with figures.saved_figure(files["sheet"], (13, 7)) as figure:
        grid = figure.add_gridspec(2, 3, height_ratios=[1.05, 1])
        figures.draw_picture(figure.add_subplot(grid[0, :]), views / 255, _views_title(field))
        _draw_slice(figure.add_subplot(grid[1, 0]), field)
        _draw_distances(figure.add_subplot(grid[1, 1]), signal, mesh)
        figures.draw_loss_curve(figure.add_subplot(grid[1, 2]), field.info.history)
    return {name: str(path) for name, path in files.items()}


def _views_title(field: Field) -> str:
    quality = field.info.quality
    for name, label in {"chamfer": "Chamfer distance", "completeness": "mean distance of the points"}.items():
        if name in quality:
            return f"Zero level set from four directions, {label} {quality[name]:.3%} of the diagonal"
    return "Zero level set from four directions"


def _draw_slice(axes: Axes, field: Field) -> None:
    """Draw the signed distance in the horizontal plane through the center of the box."""
    domain = field.header.domain
    x, y, _ = domain.centers((SLICE_PIXELS, SLICE_PIXELS, 1))
    z = round(domain.center[2], 3 - math.ceil(math.log10(max(domain.half_extent))))
    points = np.stack(np.meshgrid(x, y, [z], indexing="ij"), axis=-1).reshape(-1, 3)
    values = field.at(points).reshape(SLICE_PIXELS, SLICE_PIXELS).T
    limit = float(np.abs(values).max()) or 1.0
    image = axes.contourf(x, y, values, SLICE_LEVELS, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.contour(x, y, values, levels=[0.0], colors="black", linewidths=1.5)
    axes.set(aspect="equal", xlabel="x", ylabel="y", title=f"Signed distance at z = {z + 0:g}, zero in black")
    figures.draw_color_bar(axes, image)


def _draw_distances(axes: Axes, signal: Surface, mesh: Mesh) -> None:
    """Draw a histogram of the distances from the samples to the mesh."""
    subset = np.random.default_rng(0).permutation(signal.size)[:MAX_POINTS]
    percent = 100 * distances_to_mesh(signal.at(subset)[0], mesh)[0] / signal.diagonal
    axes.hist(percent, bins=60, range=(0, robust_limit(percent) or 1), color=figures.COLORS[0])
    axes.set(xlabel="Distance to the mesh (% of diagonal)", ylabel="Number of points", title="Distances of the samples")
