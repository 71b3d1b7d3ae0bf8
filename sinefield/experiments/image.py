"""A picture, fitted by each network, with its gradient and its Laplacian."""

from __future__ import annotations

from pathlib import Path

from sinefield.experiments.drawing import derivative_arrays, draw_derivatives
from sinefield.experiments.experiment import (
    PSNR,
    Arrays,
    Budget,
    Options,
    Outcome,
    Setting,
    Trial,
    fit_outcome,
    register_experiment,
    trial_grid,
)
from sinefield.signals import Signal, read_image, resize
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "relu-pe", "tanh", "rbf")
"""Networks of the experiment, those of figure 1 in the paper."""

BUDGET = Budget(small=(8, 20), steps=15_000)
"""Duration of each trial."""


def camera(setting: Setting) -> Signal:
    """Return the picture of the paper, which is a sample picture of scikit-image."""
    return resize(read_image("camera"), 128 if setting.small else 256)


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    draw_derivatives(path, arrays)


@register_experiment(
    "image",
    claim="SIREN fits a picture and its derivatives better and faster than the other networks (figure 1)",
    measures={"picture": PSNR},
    draw=draw,
    scaled_down="128 × 128 pixels instead of 256 × 256, seconds instead of 15,000 steps",
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    signal = camera(setting)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, **options)
        return fit_outcome(field, {"picture": field.info.quality["psnr_db"]}, **derivative_arrays(field, signal))

    return trial_grid(NETWORKS, run, BUDGET)
