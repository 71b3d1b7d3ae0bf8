"""An equation's solution beside the truth, what it is off by, and its animation where it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sinefield.domain import Domain, from_samples
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.field.grayscale import limit
from sinefield.problems.problem import Problem
from sinefield.reports import figures
from sinefield.signals import Header
from sinefield.signals.video import write_video

SIDE, TIMES = 192, 4
"""Points along a side of a picture, and pictures of what moves."""

FRAMES, RATE, FINE = 96, 24, 384
"""Of an animation: its frames, how many of them a second, and pixels along a side."""


COMPLEX = ("re", "im")
"""The channels of a complex number."""


class View(NamedTuple):
    """A plane of a domain and one channel there: (side, side) points, by rows and columns."""

    title: str
    channel: int
    points: NDArray[np.float64]


def solution_report(
    folder: Path, field: Field, problem: Problem, progress: Callable[[float], None] | None = None
) -> dict[str, str]:
    """A sheet; and a film of what has a time, or of two periods of what is complex.

    Raises:
        InputError: a problem whose pictures are not planes.
    """
    if problem.domain.dim not in (2, 3):
        raise InputError(f"pictures are of two axes, or of a time and two; {problem.name} has {problem.domain.dim}")
    files = {"sheet": folder / "sheet.png"}
    report = progress or (lambda done: None)
    sheet(files["sheet"], field, problem)
    report(0.3)
    if problem.domain.dim == 3 or problem.channels == COMPLEX:
        files["film"] = folder / "film.mp4"
        film(files["film"], field, problem, lambda done: report(0.3 + 0.7 * done))
    return {name: str(path) for name, path in files.items()}


def sheet(path: Path, field: Field, problem: Problem) -> None:
    """A row for each channel, or for some times: the field, the truth and what is between them; how the fit went."""
    chosen, domain = views(field, problem), problem.display_domain or problem.domain
    columns = 3 if problem.reference is not None else 1
    with figures.figure_at(path, (3.4 * columns + 0.4, 2.9 * len(chosen) + 2.6)) as figure:
        top, bottom = cast(Any, figure).subfigures(2, 1, height_ratios=[2.9 * len(chosen), 2.6])
        for row, view in zip(top.subplots(len(chosen), columns, squeeze=False), chosen, strict=True):
            flat, shape = view.points.reshape(-1, view.points.shape[-1]), view.points.shape[:2]
            found = _channel(field.at(flat), view.channel).reshape(shape)
            wanted = found if problem.reference is None else problem.reference(flat)[:, view.channel].reshape(shape)
            most = limit(wanted)
            _drawn(row[0], domain, found, f"the field{view.title}", "RdBu_r", -most, most)
            if problem.reference is not None:
                off = np.abs(found - wanted)
                _drawn(row[1], domain, wanted, "the truth", "RdBu_r", -most, most)
                _drawn(row[2], domain, off, "the error, |field - truth|", "inferno", 0, limit(off))
        _losses(bottom.subplots(), field)


def views(field: Field, problem: Problem) -> list[View]:
    """All channels of a plane, or the first at some times of what moves in one."""
    domain = problem.display_domain or problem.domain
    if domain.dim == 2:
        points = _grid(domain, [], SIDE)
        names = field.header.channels or ("",)
        return [View(f", {name}" if name else "", channel, points) for channel, name in enumerate(names)]
    times = np.linspace(domain.lower[0], domain.upper[0], TIMES)
    return [View(f" at {time:.3g} {domain.units[0]}", 0, _grid(domain, [time], SIDE)) for time in times]


def film(path: Path, field: Field, problem: Problem, progress: Callable[[float], None]) -> None:
    """u over its time, or Re u exp(iωt) over two periods; blue, white and red for its sign."""
    domain = problem.display_domain or problem.domain
    moving = domain.dim == 3
    still = None if moving else _grid(domain, [], FINE)
    values = None if still is None else field.at(still.reshape(-1, 2))
    largest = _largest(field, domain) if values is None else limit(np.hypot(*values.T))
    header = Header("video", from_samples((1, 1, 1)), (1, 1, 1), ("R", "G", "B"), "uint8", (0.0,) * 3, (255.0,) * 3)

    def frames() -> Iterator[NDArray[np.uint8]]:
        for index in range(FRAMES):
            if values is None:
                time = domain.lower[0] + (domain.upper[0] - domain.lower[0]) * index / (FRAMES - 1)
                shown = _channel(field.at(_grid(domain, [time], FINE).reshape(-1, 3)), 0)
            else:
                phase = 4 * np.pi * index / FRAMES
                shown = values[:, 0] * np.cos(phase) - values[:, 1] * np.sin(phase)
            colors = matplotlib.colormaps["RdBu_r"](0.5 + shown / (2 * largest or 1), bytes=True)
            yield np.asarray(colors, dtype=np.uint8)[:, :3]
            progress((index + 1) / FRAMES)

    write_video(path, frames(), (FRAMES, FINE, FINE), RATE, header)


def _largest(field: Field, domain: Domain) -> float:
    """What is white or black in a film of what moves: most of it is weaker than where it began."""
    times = np.linspace(domain.lower[0], domain.upper[0], TIMES)
    return float(np.mean([limit(field.at(_grid(domain, [time], SIDE).reshape(-1, 3))) for time in times]))


def _grid(domain: Domain, fixed: list[float], side: int) -> NDArray[np.float64]:
    """Points of the plane of the last two axes, the first ones held: (side, side, d)."""
    count = len(fixed)
    axes = [np.linspace(domain.lower[k], domain.upper[k], side) for k in range(count, count + 2)]
    return np.stack(np.meshgrid(*([time] for time in fixed), *axes, indexing="ij"), axis=-1).reshape(side, side, -1)


def _channel(values: NDArray[Any], channel: int) -> NDArray[Any]:
    return values if values.ndim == 1 else np.asarray(values[:, channel])


def _drawn(axes: Axes, domain: Domain, shown: NDArray[Any], title: str, colors: str, low: float, high: float) -> None:
    extent = (domain.lower[-1], domain.upper[-1], domain.upper[-2], domain.lower[-2])
    drawn = axes.imshow(shown, cmap=colors, vmin=low, vmax=high or 1, extent=extent)
    axes.set(title=title, xticks=extent[:2], yticks=extent[2:])
    axes.set_xlabel(f"{domain.axes[-1]} in {domain.units[-1]}", labelpad=-8)
    axes.set_ylabel(f"{domain.axes[-2]} in {domain.units[-2]}")
    axes.figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02)


def _losses(axes: Axes, field: Field) -> None:
    made, history = field.made, field.made["history"]
    axes.semilogy([entry[1] for entry in history], [entry[2] for entry in history], marker=".")
    error = f"; relative L2 error {made['relative_l2']:.1e}" if made.get("relative_l2") is not None else ""
    axes.set(xlabel="seconds", ylabel="loss on points of its own", title=f"how the fit went{error}")
    axes.grid(alpha=0.3)
