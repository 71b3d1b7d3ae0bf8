"""A picture from its gradient, and from its Laplacian, alone."""

from __future__ import annotations

from pathlib import Path

from sinefield.experiments.drawing import layers, pictures
from sinefield.experiments.experiment import (
    DECIBELS,
    Budget,
    Experiment,
    Options,
    Outcome,
    Sample,
    Setting,
    Shown,
    Trial,
    of_each,
    outcome,
)
from sinefield.signals import gray, read_image, resize
from sinefield.tasks.reconstruct import reconstruct

NETWORKS = ("sine", "relu-pe", "tanh")

BUDGET = Budget(small=(15, 20), steps=10_000)

STARFISH = Sample(
    ("12003.jpg",), "picture 12003 of BSDS500: https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
)

SOURCES = ("gradient", "laplacian")


def trials(setting: Setting) -> list[Trial]:
    side = 128 if setting.small else 256
    signal = resize(gray(read_image(setting.given(STARFISH))), (side, side))

    def of(source: str) -> list[Trial]:
        def run(network: str, recipe: str, options: Options) -> Outcome:
            field = reconstruct(signal, source, activation=network, recipe=recipe, **options)
            figures = {
                f"picture from its {source}": field.made["psnr_db"],
                f"the {source}": field.made[f"{source}_psnr_db"],
            }
            return outcome(field, figures, **layers(field, signal))

        return of_each(NETWORKS, run, BUDGET, source)

    return [trial for source in SOURCES for trial in of(source)]


def draw(path: Path, shown: Shown) -> None:
    pictures(path, shown, ("from the gradient", "|∇Φ|, given", "ΔΦ"), "gradient")


POISSON = Experiment(
    claim="A SIREN finds a picture by its derivatives alone (section 4.1, table 1)",
    measures={name: DECIBELS for source in SOURCES for name in (f"picture from its {source}", f"the {source}")},
    trials=trials,
    draw=draw,
    published={
        ("picture from its gradient", "sine"): "32.91 dB",
        ("picture from its gradient", "relu-pe"): "26.35 dB",
        ("picture from its gradient", "tanh"): "25.79 dB",
        ("the gradient", "sine"): "46.85 dB",
        ("the gradient", "relu-pe"): "19.33 dB",
        ("the gradient", "tanh"): "19.11 dB",
        ("picture from its laplacian", "sine"): "14.95 dB",
        ("the laplacian", "sine"): "57.13 dB",
    },
    scaled="128 × 128 pixels instead of 256 × 256, seconds instead of 10,000 steps",
    needs=(STARFISH,),
)
