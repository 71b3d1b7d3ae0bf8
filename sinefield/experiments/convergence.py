"""How soon each network has fitted a picture to a given quality."""

from __future__ import annotations

import math
from pathlib import Path

from sinefield.experiments.drawing import decibel_curves
from sinefield.experiments.experiment import (
    RECIPES,
    Budget,
    Experiment,
    Measure,
    Options,
    Outcome,
    Setting,
    Shown,
    Trial,
    of_each,
    outcome,
)
from sinefield.experiments.image import NETWORKS, camera
from sinefield.reports.figures import figure_at
from sinefield.tasks.fit import fit

QUALITY = {"default": 30.0, "paper": 25.0}
"""PSNR that is to be reached, in dB: one that a few hundred steps come to."""

BUDGET = Budget(small=(8, 16), steps=15_000)


def trials(setting: Setting) -> list[Trial]:
    signal = camera(setting)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, psnr=QUALITY[recipe], **options)
        made = field.made
        reached = made["stopped"] == "psnr"
        figures = {"steps": made["steps"], "seconds": made["seconds"]}
        return outcome(field, {name: figure if reached else math.inf for name, figure in figures.items()})

    return of_each(NETWORKS, run, BUDGET)


def draw(path: Path, shown: Shown) -> None:
    with figure_at(path, (9, 3.6)) as figure:
        for axes, recipe in zip(figure.subplots(1, 2), RECIPES, strict=True):
            decibel_curves(axes, shown, recipe)
            axes.axhline(QUALITY[recipe], color="black", linestyle=":")


CONVERGENCE = Experiment(
    claim="A SIREN comes to a given quality sooner than the other networks (section 3.1)",
    measures={"steps": Measure("{:,.0f}", False), "seconds": Measure("{:.1f} s", False)},
    trials=trials,
    draw=draw,
    scaled=f"128 × 128 pixels; to {QUALITY['default']:g} dB by our recipe, to {QUALITY['paper']:g} dB by the paper's",
)
