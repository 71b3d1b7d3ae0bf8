"""A picture, reconstructed from its gradient or its Laplacian by each network."""

from __future__ import annotations

from pathlib import Path

from sinefield.experiments.drawing import derivative_arrays, draw_derivatives
from sinefield.experiments.experiment import (
    PSNR,
    Arrays,
    Budget,
    DataFile,
    Options,
    Outcome,
    Setting,
    Trial,
    fit_outcome,
    register_experiment,
    trial_grid,
)
from sinefield.signals import Signal, gray, read_image, resize
from sinefield.tasks.reconstruct import reconstruct

NETWORKS = ("sine", "relu-pe", "tanh")
"""Networks of the experiment."""

BUDGET = Budget(small=(15, 20), steps=10_000)
"""Duration of each trial."""

STARFISH = DataFile(
    ("12003.jpg",), "picture 12003 of BSDS500: https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
)
"""The picture of the paper."""

SOURCES = ("gradient", "laplacian")
"""Derivatives from which the picture is reconstructed."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    draw_derivatives(path, arrays, "gradient")


@register_experiment(
    "poisson",
    claim="SIREN reconstructs a picture from its derivatives alone (section 4.1, table 1)",
    measures={name: PSNR for source in SOURCES for name in (f"picture from {source}", source)},
    draw=draw,
    published={
        ("picture from gradient", "sine"): "32.91 dB",
        ("picture from gradient", "relu-pe"): "26.35 dB",
        ("picture from gradient", "tanh"): "25.79 dB",
        ("gradient", "sine"): "46.85 dB",
        ("gradient", "relu-pe"): "19.33 dB",
        ("gradient", "tanh"): "19.11 dB",
        ("picture from laplacian", "sine"): "14.95 dB",
        ("laplacian", "sine"): "57.13 dB",
    },
    scaled_down="128 × 128 pixels instead of 256 × 256, seconds instead of 10,000 steps",
    data=(STARFISH,),
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    side = 128 if setting.small else 256
    signal = resize(gray(read_image(setting.path(STARFISH))), (side, side))
    return [trial for source in SOURCES for trial in _trials(signal, source)]


def _trials(signal: Signal, source: str) -> list[Trial]:
    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = reconstruct(signal, source, activation=network, recipe=recipe, **options)
        quality = field.info.quality
        values = {f"picture from {source}": quality["psnr_db"], source: quality[f"{source}_psnr_db"]}
        return fit_outcome(field, values, **derivative_arrays(field, signal))

    return trial_grid(NETWORKS, run, BUDGET, source)
