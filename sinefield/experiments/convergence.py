"""Time until each network has fitted a picture with a given PSNR."""

from __future__ import annotations

import math
from pathlib import Path

from sinefield.experiments.drawing import draw_psnr_curves
from sinefield.experiments.experiment import (
    RECIPES,
    Arrays,
    Budget,
    Measure,
    Options,
    Outcome,
    Setting,
    Trial,
    fit_outcome,
    register_experiment,
    trial_grid,
)
from sinefield.experiments.image import NETWORKS, camera
from sinefield.reports.figures import saved_figure
from sinefield.tasks.fit import fit

TARGET_PSNR = {"default": 30.0, "paper": 25.0}
"""PSNR to reach with each recipe in dB, which SIREN reaches in less than a hundred steps."""

BUDGET = Budget(small=(8, 16), steps=15_000)
"""Duration of each trial."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    with saved_figure(path, (9, 3.6)) as figure:
        for axes, recipe in zip(figure.subplots(1, 2), RECIPES, strict=True):
            draw_psnr_curves(axes, arrays, recipe)
            axes.axhline(TARGET_PSNR[recipe], color="black", linestyle=":", label="Target")
            axes.legend(frameon=False)


@register_experiment(
    "convergence",
    claim="SIREN reaches a given PSNR sooner than the other networks (section 3.1)",
    measures={"steps": Measure("{:,.0f}", False), "seconds": Measure("{:.1f} s", False)},
    draw=draw,
    scaled_down=f"128 × 128 pixels; the target is {TARGET_PSNR['default']:g} dB with the default recipe and "
    f"{TARGET_PSNR['paper']:g} dB with that of the paper",
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    signal = camera(setting)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, psnr=TARGET_PSNR[recipe], **options)
        info = field.info
        values = {"steps": info.steps, "seconds": info.seconds}
        return fit_outcome(field, values if info.stopped == "psnr" else dict.fromkeys(values, math.inf))

    return trial_grid(NETWORKS, run, BUDGET)
