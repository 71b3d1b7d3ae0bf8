"""Arrays and scattered samples: the field beside them, along one axis, in a plane, or value by value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.field.grayscale import limit
from sinefield.reports import figures
from sinefield.sampling.permutation import Permutation
from sinefield.signals import Signal

SHOWN, FINEST = 20_000, 1024
"""Samples that are compared one by one, and points along an axis of a plane that is shown."""


def samples(
    folder: Path, field: Field, signal: Signal, progress: Callable[[float], None] | None = None
) -> dict[str, str]:
    """One sheet: the field, its samples, the error of each against its value, and the training curve."""
    path, header = folder / "sheet.png", signal.header
    some = np.arange(signal.size) if signal.size <= SHOWN else np.sort(Permutation(signal.size, (0,))[:SHOWN])
    x, values = signal.at(some)
    fitted = field(x).numpy()
    channel = header.channels[0] if header.channels else "value"
    true, found = values[:, 0].astype(float), fitted[:, 0].astype(float)
    with figures.figure_at(path, (12, 8)) as figure:
        (one, two), (three, four) = figure.subplots(2, 2)
        if header.domain.dim == 1:
            _curve(one, field, x[:, 0], true, channel)
        else:
            _plane(one, field, channel)
        _places(two, field, x, found - true, channel)
        three.plot([true.min(), true.max()], [true.min(), true.max()], color="0.6", linewidth=1)
        three.plot(true, found, ".", markersize=2, rasterized=True)
        three.set(xlabel=f"{channel}, measured", ylabel=f"{channel}, of the field", title=_said(field))
        figures.training_curve(four, field.made["history"])
    if progress is not None:
        progress(1.0)
    return {"sheet": str(path)}


def _said(field: Field) -> str:
    unseen = field.made.get("psnr_unseen_db")
    held = "" if unseen is None else f", {unseen:.1f} dB of those held out"
    return f"sample by sample: {field.made['psnr_db']:.1f} dB{held}"


def _curve(axes: Axes, field: Field, x: NDArray[Any], values: NDArray[Any], channel: str) -> None:
    domain = field.header.domain
    fine = np.linspace(domain.lower[0], domain.upper[0], 4 * FINEST)
    axes.plot(fine, field(fine[:, None]).numpy()[:, 0], color="tab:orange", linewidth=1, label="the field")
    axes.plot(x, values, ".", markersize=3, color="tab:blue", label="the samples")
    axes.set(xlabel=_named(field, 0), ylabel=channel, title="the field and its samples")
    axes.legend(frameon=False)


def _plane(axes: Axes, field: Field, channel: str) -> None:
    """The field over two axes, through the middle of the others."""
    domain, (across, along) = field.header.domain, _axes(field)
    shape = [1] * domain.dim
    for axis in (across, along):
        shape[axis] = min(max(field.header.shape[axis], 256), FINEST)
    points = np.stack(np.meshgrid(*domain.centers(shape), indexing="ij"), axis=-1).reshape(-1, domain.dim)
    values = np.concatenate([field(part).numpy()[:, 0] for part in np.array_split(points, 64)]).reshape(shape)
    plane = np.moveaxis(values, (along, across), (0, 1)).reshape(shape[along], shape[across])
    extent = (domain.lower[across], domain.upper[across], domain.lower[along], domain.upper[along])
    drawn = axes.imshow(plane, extent=extent, origin="lower", aspect="auto", cmap="viridis")
    others = [f"{domain.axes[k]} = {domain.center[k]:.4g}" for k in range(domain.dim) if k not in (across, along)]
    _label(axes, field, ", ".join(["the field", *others]))
    axes.figure.colorbar(drawn, ax=axes, label=channel, fraction=0.046, pad=0.02)


def _places(axes: Axes, field: Field, x: NDArray[Any], error: NDArray[Any], channel: str) -> None:
    """The error of the samples at their places, along one or two axes."""
    if x.shape[1] == 1:
        axes.plot(x[:, 0], error, ".", markersize=2)
        axes.set(xlabel=_named(field, 0), ylabel=f"error of {channel}", title="what the field is off by")
        return
    most, (across, along) = limit(error) or 1.0, _axes(field)
    coords = x[:, across], x[:, along]
    drawn = axes.scatter(*coords, c=error, s=2, cmap="RdBu_r", vmin=-most, vmax=most, rasterized=True)
    _label(axes, field, "what the field is off by, at its samples")
    axes.figure.colorbar(drawn, ax=axes, label=f"error of {channel}", fraction=0.046, pad=0.02)


def _axes(field: Field) -> tuple[int, int]:
    """Which axis goes across and which along a figure: x and y of points; columns and rows, downwards, of an array."""
    return (0, 1) if field.header.kind == "points" else (field.header.domain.dim - 1, field.header.domain.dim - 2)


def _label(axes: Axes, field: Field, title: str) -> None:
    across, along = _axes(field)
    axes.set(xlabel=_named(field, across), ylabel=_named(field, along), title=title)
    if field.header.kind != "points":
        axes.invert_yaxis()


def _named(field: Field, axis: int) -> str:
    domain = field.header.domain
    return f"{domain.axes[axis]} in {domain.units[axis]}" if domain.units[axis] else domain.axes[axis]
