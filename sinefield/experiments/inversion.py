"""The velocity of a medium, inverted from waves that were measured in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.experiment import (
    Arrays,
    Budget,
    Measure,
    Options,
    Outcome,
    Setting,
    Trial,
    fit_outcome,
    register_experiment,
)
from sinefield.problems.inversion import simulated
from sinefield.reports.figures import draw_loss_curve, draw_scaled_map, saved_figure
from sinefield.tasks.invert import EVAL_EXTENT, invert, velocity

BUDGET = Budget(small=(100, 0), steps=0, seconds=900)
"""Duration of the trial."""

PIXELS = 128
"""Pixels along each side of a map of the evaluated square."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    (each,) = arrays.values()
    high = max(each["field"].max(), each["reference"].max())
    with saved_figure(path, (12, 3.6)) as figure:
        left, middle, right = figure.subplots(1, 3)
        draw_scaled_map(left, each["reference"], "Reference velocity (m/s)", "viridis", 0.9, high)
        draw_scaled_map(middle, each["field"], "Field velocity (m/s)", "viridis", 0.9, high)
        draw_loss_curve(right, each["history"].tolist())


@register_experiment(
    "inversion",
    claim="Waves and medium are inverted together from a single frequency (section 4.3, figure 5)",
    measures={
        "relative error of the velocity": Measure("{:.1%}", None),
        "position error": Measure("{:.3f} m", None),
    },
    draw=draw,
    scaled_down="one source, whose wave is measured at 144 points, instead of five sources and thirty receivers",
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""

    def run(options: Options) -> Outcome:
        survey = simulated("circle")
        field = invert(survey, **options)
        assert survey.slowness is not None
        axis = np.linspace(-EVAL_EXTENT, EVAL_EXTENT, PIXELS)
        points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        maps = {"field": velocity(field, points), "reference": 1 / np.sqrt(survey.slowness(points))}
        quality = field.info.quality
        values = {
            "relative error of the velocity": quality["relative_l2"],
            "position error": float(np.hypot(*quality["center"])),
        }
        return fit_outcome(field, values, **{name: each.reshape(PIXELS, PIXELS) for name, each in maps.items()})

    return [Trial("sine", "default", run, BUDGET)]
