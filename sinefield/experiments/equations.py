"""Wave equations, solved by each network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sinefield.experiments.drawing import RECIPE_TITLES, draw_loss_curves, network_of, trials_of
from sinefield.experiments.experiment import (
    MSE,
    RECIPES,
    Array,
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
from sinefield.field.grayscale import robust_limit
from sinefield.problems.helmholtz import helmholtz
from sinefield.problems.problem import Problem
from sinefield.problems.wave import wave
from sinefield.reports.figures import draw_map, saved_figure, stacked
from sinefield.tasks.solve import solve

PIXELS = 128
"""Pixels along each side of a map."""

SHORT_TRAINING = (
    "with the network and the optimizer of the paper and our form of the equation, that is too short to learn anything"
)
"""Why the recipe of the paper fails in the small budget."""

MEASURES = {"relative error": Measure("{:.1%}", False), "mean squared error": MSE}
"""Measures of both experiments."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of an experiment."""
    maps = {"Reference": next(iter(arrays.values()))["reference"]}
    maps |= {network_of(trial): arrays[trial]["field"] for trial in trials_of(arrays, "default")}
    limit = robust_limit(maps["Reference"])
    with saved_figure(path, (11, 5.8)) as figure:
        top, bottom = stacked(figure, [0.8, 1])
        for axes, (title, values) in zip(top.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
            image = draw_map(axes, values, "RdBu_r", -limit, limit)
            axes.set_title(title)
        top.colorbar(image, ax=top.axes, label="u", aspect=12, pad=0.01)
        top.suptitle(RECIPE_TITLES["default"], fontsize=10)
        for axes, recipe in zip(bottom.subplots(1, 2), RECIPES, strict=True):
            draw_loss_curves(axes, arrays, recipe, ylabel="Validation loss")


@register_experiment(
    "helmholtz",
    claim="SIREN solves the Helmholtz equation, and the other networks fail (section 4.3, figure 5)",
    measures=MEASURES,
    draw=draw,
    published={
        ("mean squared error", "sine"): "7.9e-06",
        ("mean squared error", "tanh"): "2.6e-05",
        ("mean squared error", "rbf"): "1.0e-04",
        ("mean squared error", "relu"): "fails",
    },
    scaled_down=f"seconds instead of 50,000 steps of about ten thousand points; {SHORT_TRAINING}",
)
def helmholtz_trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    budget = Budget(small=(40, 20), steps=50_000, seconds=1800)
    return _trials(helmholtz(), ("sine", "tanh", "relu", "rbf"), budget)


@register_experiment(
    "wave",
    claim="SIREN solves the wave equation, and tanh fails (section 4.3, figure 5)",
    measures=MEASURES,
    draw=draw,
    published={
        ("mean squared error", "sine"): "1.5e-04 to 2.5e-04",
        ("mean squared error", "tanh"): "9.5e-03 to 1.0e-02",
    },
    scaled_down=f"seconds instead of 100,000 steps; {SHORT_TRAINING}",
)
def wave_trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    return _trials(wave(), ("sine", "tanh"), Budget(small=(50, 25), steps=100_000, seconds=1800))


def _trials(problem: Problem, networks: tuple[str, ...], budget: Budget) -> list[Trial]:
    def run(network: str, recipe: str, options: Options) -> Outcome:
        dtype = torch.float32 if recipe == "paper" else torch.float64
        field = solve(problem, activation=network, recipe=recipe, dtype=dtype, **options)
        points, quality = _plane(problem), field.info.quality
        assert problem.reference is not None
        maps = {"field": field.at(points), "reference": problem.reference(points)}
        values = {"relative error": quality["relative_l2"], "mean squared error": quality["mse"]}
        return fit_outcome(field, values, **{name: _first_channel(each) for name, each in maps.items()})

    return trial_grid(networks, run, budget)


def _plane(problem: Problem) -> Array:
    """Return the points (n, d) of a map, at the last time if the solution depends on time."""
    domain = problem.display_domain or problem.domain
    last = [[upper] for upper in domain.upper[:-2]]
    axes = [np.linspace(domain.lower[k], domain.upper[k], PIXELS) for k in (-2, -1)]
    return np.stack(np.meshgrid(*last, *axes, indexing="ij"), axis=-1).reshape(-1, domain.dim)


def _first_channel(values: Array) -> Array:
    return values.reshape(PIXELS, PIXELS, -1)[..., 0].astype(np.float32)
