"""Derivatives of networks that were fitted to values."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from sinefield.experiments.experiment import (
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
)
from sinefield.field.grayscale import robust_limit
from sinefield.jets import derivative
from sinefield.reports.figures import draw_map, saved_figure
from sinefield.signals import from_array
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "tanh", "softplus", "relu", "relu-pe")
"""Networks of the experiment."""

BUDGET = Budget(small=(8, 0), steps=0, seconds=120)
"""Duration of each trial."""

SAMPLES = 64
"""Number of samples along each axis that are fitted."""

EVAL_POINTS = 96
"""Number of points along each axis, between the samples, at which derivatives are evaluated."""

QUANTITIES = ("Φ", "∂Φ/∂x", "∂²Φ/∂x²")
"""The evaluated quantities."""


def ripples(y: Array, x: Array) -> tuple[Array, Array, Array]:
    """Return cos(8 r²) exp(-r²), where r is the distance from the origin, and its first two derivatives along x."""
    r2 = x**2 + y**2
    c, s, e = np.cos(8 * r2), np.sin(8 * r2), np.exp(-r2)
    # f = c(q) e(q) with q = r²: f_x = 2x f′, f_xx = 2f′ + 4x² f″
    f1 = e * (-8 * s - c)
    f2 = e * (-64 * c + 8 * s) - f1
    return c * e, 2 * x * f1, 2 * f1 + 4 * x**2 * f2


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    fields = {trial.removesuffix(" default"): each for trial, each in arrays.items()}
    first = next(iter(fields.values()))
    columns = {"Reference": {name: first[f"{name} reference"] for name in QUANTITIES}} | {
        network: {name: each[f"{name} field"] for name in QUANTITIES} for network, each in fields.items()
    }
    with saved_figure(path, (2 * len(columns) + 0.8, 6.4)) as figure:
        grid = figure.subplots(len(QUANTITIES), len(columns), squeeze=False)
        for row, name in zip(grid, QUANTITIES, strict=True):
            limit = robust_limit(columns["Reference"][name])
            for axes, (title, values) in zip(row, columns.items(), strict=True):
                image = draw_map(axes, values[name], "RdBu_r", -limit, limit)
                axes.set_title(title if name == QUANTITIES[0] else "")
            figure.colorbar(image, ax=list(row), label=name, aspect=12, pad=0.01)


@register_experiment(
    "derivative",
    claim="The derivatives of SIREN are those of the function that it was fitted to (section 2)",
    measures={name: Measure("{:.2%}", False) for name in QUANTITIES},
    draw=draw,
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    axis = (np.arange(SAMPLES) + 0.5) / SAMPLES * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    signal = from_array(ripples(y, x)[0], origin=(axis[0],) * 2, step=(2 / SAMPLES,) * 2, axes=("y", "x"))
    inner = np.linspace(axis[1], axis[-2], EVAL_POINTS)
    points = np.stack(np.meshgrid(inner, inner, indexing="ij"), axis=-1).reshape(-1, 2)
    references = ripples(*points.T)

    def run(network: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, **options)
        with torch.no_grad():
            derivatives = [derivative(field, *[1] * order)(torch.from_numpy(points)) for order in (1, 2)]
        estimates = [np.asarray(each, dtype=np.float64)[:, 0] for each in (field.at(points), *derivatives)]
        errors, arrays = {}, {}
        for name, estimate, reference in zip(QUANTITIES, estimates, references, strict=True):
            errors[name] = float(np.linalg.norm(estimate - reference) / np.linalg.norm(reference))
            arrays[f"{name} field"] = estimate.reshape(EVAL_POINTS, EVAL_POINTS)
            arrays[f"{name} reference"] = reference.reshape(EVAL_POINTS, EVAL_POINTS)
        return fit_outcome(field, errors, **arrays)

    return [Trial(network, "default", partial(run, network), BUDGET) for network in NETWORKS]
