"""The velocity of a medium, with the sources and receivers that it was found from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.patches import Rectangle

from sinefield.domain import box
from sinefield.field.field import Field
from sinefield.problems.helmholtz import LAYER
from sinefield.problems.inversion import Survey
from sinefield.reports import figures
from sinefield.tasks.invert import LIT, velocity

SIDE = 256
"""Pixels."""


def medium_report(folder: Path, field: Field, survey: Survey) -> dict[str, str]:
    """One figure: the velocity that was found and, where it is known, the true one; below, the loss."""
    files = {"sheet": folder / "sheet.png"}
    end = 1 - LAYER
    x = np.stack(np.meshgrid(*box((-end,) * 2, (end,) * 2).centers((SIDE, SIDE)), indexing="ij"), axis=-1)
    shown = {"the velocity that was found, in m/s": velocity(field, x.reshape(-1, 2))}
    if survey.slowness is not None:
        shown["the true one"] = 1 / np.sqrt(survey.slowness(x.reshape(-1, 2)))
    most = max(float(each.max()) for each in shown.values())
    with figures.figure_at(files["sheet"], (4.4 * len(shown) + 4.6, 4)) as figure:
        *pictures, last = figure.subplots(1, len(shown) + 1)
        for axes, (title, c) in zip(pictures, shown.items(), strict=True):
            drawn = axes.imshow(
                c.reshape(SIDE, SIDE), extent=(-end, end, end, -end), cmap="viridis", vmin=min(0.9, c.min()), vmax=most
            )
            axes.plot(*np.asarray(survey.sources).T[::-1], "*", color="tab:red", markersize=9, label="sources")
            axes.plot(*survey.receivers.T[::-1], ".", color="white", markersize=3, label="receivers")
            axes.add_patch(Rectangle((-LIT, -LIT), 2 * LIT, 2 * LIT, fill=False, linestyle=":", color="white"))
            axes.set(title=title, xlabel="x in m", ylabel="y in m")
            axes.figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02)
        pictures[0].legend(loc="upper right", fontsize=7, facecolor="tab:gray")
        history = field.made["history"]
        last.semilogy([entry[1] for entry in history], [entry[2] for entry in history], marker=".")
        error = field.made.get("relative_l2")
        last.set(
            xlabel="seconds",
            ylabel="loss",
            title="how it went" + ("" if error is None else f"; off by {100 * error:.1f}% where it is dotted"),
        )
        last.grid(alpha=0.3)
    return {name: str(path) for name, path in files.items()}
