"""A shape from points on its surface with their normals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.drawing import error_curves, halves, said
from sinefield.experiments.experiment import (
    RECIPES,
    Budget,
    Experiment,
    Measure,
    Options,
    Outcome,
    Sample,
    Setting,
    Shown,
    Trial,
    of_each,
    outcome,
)
from sinefield.field.sphere_trace import sphere_trace
from sinefield.reports.figures import figure_at, picture_at
from sinefield.signals.surface import read_surface
from sinefield.tasks.shape import fit_shape

NETWORKS = ("sine", "relu")

BUDGET = Budget(small=(60, 40), steps=50_000)

SCAN = Sample(
    ("bunny_scan.obj", "bunny.obj", "bunny.ply"),
    "the Stanford bunny: https://graphics.stanford.edu/data/3Dscanrep/",
)

POINTS = 100_000


def trials(setting: Setting) -> list[Trial]:
    surface = read_surface(setting.given(SCAN), points=POINTS, seed=setting.seed)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit_shape(surface, activation=network, recipe=recipe, **options)
        made = field.made
        distance = made.get("chamfer", made.get("completeness"))
        figures = {"distance": np.nan if distance is None else 100 * distance}
        figures["normals"] = made.get("normal_consistency", np.nan)
        return outcome(field, figures, view=sphere_trace(field, 256)[:, :512])

    return of_each(NETWORKS, run, BUDGET)


def draw(path: Path, shown: Shown) -> None:
    names = [f"{network} {recipe}" for recipe in RECIPES for network in NETWORKS]
    with figure_at(path, (13, 5.4)) as figure:
        top, bottom = halves(figure, [0.7, 1])
        for axes, name in zip(top.subplots(1, 4), names, strict=True):
            axes.axis("off")
            if name in shown:
                network, recipe = name.split(" ")
                picture_at(axes, shown[name]["view"] / 255, f"{network}, {said(recipe)}")
        for axes, recipe in zip(bottom.subplots(1, 2), RECIPES, strict=True):
            error_curves(axes, shown, recipe)


SHAPE = Experiment(
    claim="A SIREN holds the detail of a shape that ReLU blurs (section 4.2, figure 4)",
    measures={"distance": Measure("{:.3f}% of the diagonal", False), "normals": Measure("{:.4f}", True)},
    trials=trials,
    draw=draw,
    scaled="the Stanford bunny instead of a statue and a room; seconds instead of 50,000 steps",
    needs=(SCAN,),
)
