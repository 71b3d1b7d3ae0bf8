"""A picture by each network, with the gradient and the Laplacian that come with it."""

from __future__ import annotations

from pathlib import Path

from sinefield.experiments.drawing import layers, pictures
from sinefield.experiments.experiment import (
    DECIBELS,
    Budget,
    Experiment,
    Options,
    Outcome,
    Setting,
    Shown,
    Trial,
    of_each,
    outcome,
)
from sinefield.signals import Signal, read_image, resize
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "relu-pe", "tanh", "rbf")
"""Of the paper's figure 1."""

BUDGET = Budget(small=(8, 20), steps=15_000)


def camera(setting: Setting) -> Signal:
    """The paper's picture, which scikit-image ships."""
    return resize(read_image("camera"), 128 if setting.small else 256)


def trials(setting: Setting) -> list[Trial]:
    signal = camera(setting)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, **options)
        return outcome(field, {"the picture": field.made["psnr_db"]}, **layers(field, signal))

    return of_each(NETWORKS, run, BUDGET)


def draw(path: Path, shown: Shown) -> None:
    pictures(path, shown, ("the picture", "|∇Φ|", "ΔΦ"))


IMAGE = Experiment(
    claim="A SIREN fits a picture better and faster than the other networks, and its derivatives too (figure 1)",
    measures={"the picture": DECIBELS},
    trials=trials,
    draw=draw,
    scaled="128 × 128 pixels instead of 256 × 256, seconds instead of 15,000 steps",
)
