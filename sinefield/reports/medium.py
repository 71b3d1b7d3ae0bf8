"""Report of a medium whose velocity was inverted from waves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import box
from sinefield.field.field import Field
from sinefield.files import make_folder
from sinefield.problems.helmholtz import LAYER
from sinefield.problems.inversion import Survey
from sinefield.reports import figures
from sinefield.reports.figures import Axes
from sinefield.tasks.invert import EVAL_EXTENT, velocity

PIXELS = 256
"""Pixels along each side of a map."""

EXTENT = 1 - LAYER
"""Half the side of the map, which leaves out the absorbing layer, in m."""


def medium_report(folder: Path, field: Field, survey: Survey) -> dict[str, str]:
    """Write a figure of the velocity of a medium, beside the reference where it is known, and of the loss.

    Args:
        folder: Folder for the file, which is created if necessary.
        field: Field that was made by `sinefield.invert`.
        survey: The measurements that it was made from.

    Returns:
        Paths of the files by what they show.
    """
    files = {"sheet": make_folder(folder) / "sheet.png"}
    domain = box((-EXTENT,) * 2, (EXTENT,) * 2)
    points = np.stack(np.meshgrid(*domain.centers((PIXELS, PIXELS)), indexing="ij"), axis=-1).reshape(-1, 2)
    maps = {"Field velocity (m/s)": velocity(field, points)}
    if survey.slowness is not None:
        maps["Reference velocity (m/s)"] = 1 / np.sqrt(survey.slowness(points))
    high = max(float(each.max()) for each in maps.values())
    error = field.info.quality.get("relative_l2")
    title = "Training curve" if error is None else f"Training curve\nrelative error in the dashed square {error:.1%}"
    with figures.saved_figure(files["sheet"], (4.4 * len(maps) + 4.6, 4.4)) as figure:
        *first, last = figure.subplots(1, len(maps) + 1)
        for axes, (name, values) in zip(first, maps.items(), strict=True):
            _draw_velocity(axes, values.reshape(PIXELS, PIXELS), high, survey)
            axes.set_title(name)
        figure.legend(*first[0].get_legend_handles_labels(), loc="outside lower left", ncols=3, frameon=False)
        figures.draw_loss_curve(last, field.info.history, title=title)
    return {name: str(path) for name, path in files.items()}


def _draw_velocity(axes: Axes, values: NDArray[Any], high: float, survey: Survey) -> None:
    """Draw a map of the velocity with the sources, the receivers and the square that is evaluated."""
    extent = (-EXTENT, EXTENT, EXTENT, -EXTENT)
    image = axes.imshow(values, extent=extent, cmap="viridis", vmin=min(0.9, values.min()), vmax=high)
    sources, receivers = np.asarray(survey.sources).T[::-1], survey.receivers.T[::-1]
    outline: dict[str, Any] = {"markeredgecolor": "black", "markeredgewidth": 0.5}
    axes.plot(*sources, "*", color=figures.COLORS[1], markersize=11, label="Sources", **outline)
    axes.plot(*receivers, ".", color="white", markersize=6, label="Receivers", **outline)
    corners = EVAL_EXTENT * np.array([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]])
    axes.plot(*corners, "--", color=figures.COLORS[4], label="Evaluated square")
    axes.set(xlabel="x (m)", ylabel="y (m)")
    figures.draw_color_bar(axes, image)
