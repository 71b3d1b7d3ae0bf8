"""Shapes: the surface from four sides, a slice through the distance, and how the fit went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from sinefield.field.contour import contour
from sinefield.field.field import Field
from sinefield.field.grayscale import limit
from sinefield.field.sphere_trace import sphere_trace
from sinefield.reports import figures
from sinefield.signals import Signal
from sinefield.signals.mesh import Mesh, distances_to_mesh, write_mesh
from sinefield.signals.surface import Surface
from sinefield.tasks.shape import CELLS

SLICE, SHOWN = 256, 20_000
"""Pixels of a slice, and points that are compared."""


def shape(
    folder: Path, field: Field, signal: Signal, progress: Callable[[float], None] | None = None
) -> dict[str, str]:
    """One sheet, and the mesh."""
    assert isinstance(signal, Surface)
    files = {"sheet": folder / "sheet.png", "mesh": folder / "mesh.ply"}
    report = progress or (lambda done: None)
    mesh = contour(field, resolution=CELLS, progress=lambda done: report(0.4 * done))
    write_mesh(files["mesh"], mesh)
    seen = sphere_trace(field, progress=lambda done: report(0.4 + 0.6 * done))
    with figures.figure_at(files["sheet"], (13, 7)) as figure:
        grid = figure.add_gridspec(2, 3, height_ratios=[1.05, 1])
        top = figure.add_subplot(grid[0, :])
        figures.picture_at(top, seen / 255, f"the zero level, from four sides{_said(field)}")
        _slice(figure.add_subplot(grid[1, 0]), field)
        _distances(figure.add_subplot(grid[1, 1]), signal, mesh)
        _losses(figure.add_subplot(grid[1, 2]), field)
    return {name: str(path) for name, path in files.items()}


def _said(field: Field) -> str:
    share = field.made.get("chamfer", field.made.get("completeness"))
    return "" if share is None else f"; {100 * share:.3f}% of the diagonal away from the truth, on average"


def _slice(axes: Axes, field: Field) -> None:
    """The distance in the plane z = middle, and its levels."""
    domain = field.header.domain
    x, y, _ = domain.centers((SLICE, SLICE, 1))
    z = domain.center[2]
    points = np.stack(np.meshgrid(x, y, [z], indexing="ij"), axis=-1).reshape(-1, 3)
    values = field(points).numpy().reshape(SLICE, SLICE).T
    most = float(np.abs(values).max()) or 1.0
    drawn = axes.contourf(x, y, values, levels=np.linspace(-most, most, 25), cmap="RdBu_r")
    axes.contour(x, y, values, levels=[0.0], colors="black", linewidths=1.5)
    axes.set(aspect="equal", xlabel="x", ylabel="y", title=f"the distance at z = {z:.3g}, black where zero")
    axes.figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02)


def _distances(axes: Axes, signal: Surface, mesh: Mesh) -> None:
    """How far the points that were fitted are from the mesh."""
    some = np.random.default_rng(0).permutation(signal.size)[:SHOWN]
    off = 100 * distances_to_mesh(signal.at(some)[0], mesh)[0] / signal.diagonal
    axes.hist(off, bins=60, range=(0, limit(off) or 1), color="tab:blue")
    axes.set(xlabel="distance to the mesh, in % of the diagonal", ylabel="points", title="the points that were fitted")


def _losses(axes: Axes, field: Field) -> None:
    history = field.made["history"]
    axes.plot([entry[1] for entry in history], [entry[2] for entry in history], marker="." if len(history) < 30 else "")
    axes.set(xlabel="seconds", ylabel="loss", yscale="log", title="how the fit went")
    axes.grid(alpha=0.3)
