"""A medium from the waves that were measured in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.experiment import (
    Budget,
    Experiment,
    Measure,
    Options,
    Outcome,
    Setting,
    Shown,
    Trial,
    outcome,
)
from sinefield.problems.inversion import simulated
from sinefield.reports.figures import figure_at, scaled_at
from sinefield.tasks.invert import LIT, invert, velocity

BUDGET = Budget(small=(100, 0), steps=0, seconds=900)

SIDE = 128
"""Pixels along each side of what is drawn, which is what is judged."""


def trials(setting: Setting) -> list[Trial]:
    def run(options: Options) -> Outcome:
        survey = simulated("circle")
        field = invert(survey, **options)
        assert survey.slowness is not None
        axis = np.linspace(-LIT, LIT, SIDE)
        x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        shown = {"found": velocity(field, x), "truth": 1 / np.sqrt(survey.slowness(x))}
        figures = {"velocity": field.made["relative_l2"], "its place": float(np.hypot(*field.made["centre"]))}
        return outcome(field, figures, **{name: c.reshape(SIDE, SIDE) for name, c in shown.items()})

    return [Trial("sine", "default", run, BUDGET)]


def draw(path: Path, shown: Shown) -> None:
    arrays = shown["sine default"]
    most = max(arrays["found"].max(), arrays["truth"].max())
    with figure_at(path, (12, 3.6)) as figure:
        one, two, three = figure.subplots(1, 3)
        scaled_at(one, arrays["truth"], "the velocity, in m/s", "viridis", 0.9, most)
        scaled_at(two, arrays["found"], "what was found", "viridis", 0.9, most)
        three.semilogy(arrays["history"][:, 1], arrays["history"][:, 2], marker=".")
        three.set(xlabel="seconds", ylabel="loss", title="how it went")
        three.grid(alpha=0.3)


INVERSION = Experiment(
    claim="Waves and medium are found together, by one frequency (section 4.3, figure 5)",
    measures={"velocity": Measure("{:.1%}", None), "its place": Measure("{:.3f} m off", None)},
    trials=trials,
    draw=draw,
    scaled="one source, whose wave is known at 144 places, instead of five sources and thirty receivers",
)
