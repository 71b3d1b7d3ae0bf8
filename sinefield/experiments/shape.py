"""A shape, fitted by each network to points on its surface with normals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.drawing import RECIPE_TITLES, draw_loss_curves
from sinefield.experiments.experiment import (
    RECIPES,
    Arrays,
    Budget,
    DataFile,
    Measure,
    Options,
    Outcome,
    Setting,
    Trial,
    fit_outcome,
    register_experiment,
    trial_grid,
)
from sinefield.field.sphere_trace import sphere_trace
from sinefield.reports.figures import draw_picture, saved_figure, stacked
from sinefield.signals.surface import read_surface
from sinefield.tasks.shape import fit_shape

NETWORKS = ("sine", "relu")
"""Networks of the experiment."""

BUDGET = Budget(small=(60, 40), steps=50_000)
"""Duration of each trial."""

BUNNY = DataFile(
    ("bunny_scan.obj", "bunny.obj", "bunny.ply"),
    "the Stanford bunny: https://graphics.stanford.edu/data/3Dscanrep/",
)
"""The shape."""

POINTS = 100_000
"""Number of points on the surface."""

VIEW_SIZE = 256
"""Width and height of each view in pixels; the figure has the first two."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    names = [(network, recipe) for recipe in RECIPES for network in NETWORKS]
    with saved_figure(path, (13, 5.4)) as figure:
        top, bottom = stacked(figure, [0.7, 1])
        for axes, (network, recipe) in zip(top.subplots(1, len(names)), names, strict=True):
            axes.axis("off")
            if f"{network} {recipe}" in arrays:
                views = arrays[f"{network} {recipe}"]["views"]
                draw_picture(axes, views / 255, f"{network}, {RECIPE_TITLES[recipe].lower()}")
        for axes, recipe in zip(bottom.subplots(1, 2), RECIPES, strict=True):
            draw_loss_curves(axes, arrays, recipe)


@register_experiment(
    "shape",
    claim="SIREN represents the details of a shape, which ReLU smooths out (section 4.2, figure 4)",
    measures={"distance": Measure("{:.3f}% of diagonal", False), "normal consistency": Measure("{:.4f}", True)},
    draw=draw,
    scaled_down="the Stanford bunny instead of a statue and a room; seconds instead of 50,000 steps",
    data=(BUNNY,),
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    surface = read_surface(setting.path(BUNNY), points=POINTS, seed=setting.seed)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit_shape(surface, activation=network, recipe=recipe, **options)
        quality = field.info.quality
        values = {
            "distance": 100 * quality.get("chamfer", quality.get("completeness", np.nan)),
            "normal consistency": quality.get("normal_consistency", np.nan),
        }
        return fit_outcome(field, values, views=sphere_trace(field, VIEW_SIZE)[:, : 2 * VIEW_SIZE])

    return trial_grid(NETWORKS, run, BUDGET)
