"""The derivatives of networks that have only seen values."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch

from sinefield.experiments.experiment import (
    Array,
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
from sinefield.field.grayscale import limit
from sinefield.jets import derivative
from sinefield.reports.figures import figure_at, shown_at
from sinefield.signals import from_array
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "tanh", "softplus", "relu", "relu-pe")

BUDGET = Budget(small=(8, 0), steps=0, seconds=120)

SIDE, FINE = 64, 96
"""Samples along each side that are fitted, and places in between at which derivatives are judged."""

LAYERS = ("Φ", "∂Φ/∂x", "∂²Φ/∂x²")


def ripples(y: Array, x: Array) -> tuple[Array, Array, Array]:
    """A function with its first and second derivative along x: cos(8 r²) exp(-r²), r the distance from (0, 0)."""
    r2 = x**2 + y**2
    c, s, e = np.cos(8 * r2), np.sin(8 * r2), np.exp(-r2)
    # f = c(q) e(q) with q = r²: f_x = 2x f′, f_xx = 2f′ + 4x² f″
    f1 = e * (-8 * s - c)
    f2 = e * (-64 * c + 8 * s) - f1
    return c * e, 2 * x * f1, 2 * f1 + 4 * x**2 * f2


def trials(setting: Setting) -> list[Trial]:
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    signal = from_array(ripples(y, x)[0], origin=(axis[0],) * 2, step=(2 / SIDE,) * 2, axes=("y", "x"))
    inner = np.linspace(axis[1], axis[-2], FINE)
    points = np.stack(np.meshgrid(inner, inner, indexing="ij"), axis=-1).reshape(-1, 2)
    truths = ripples(*points.T)

    def run(network: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, **options)
        with torch.no_grad():
            slopes = [derivative(field, *[1] * order)(torch.from_numpy(points)) for order in (1, 2)]
        values = [field.at(points), *(np.asarray(each, dtype=np.float64)[:, 0] for each in slopes)]
        figures = {
            name: float(np.linalg.norm(value - reference) / np.linalg.norm(reference))
            for name, value, reference in zip(LAYERS, values, truths, strict=True)
        }
        shown = {f"{name} found": value for name, value in zip(LAYERS, values, strict=True)}
        shown |= {f"{name} true": reference for name, reference in zip(LAYERS, truths, strict=True)}
        return outcome(field, figures, **{name: each.reshape(FINE, FINE) for name, each in shown.items()})

    return [Trial(network, "default", partial(run, network), BUDGET) for network in NETWORKS]


def draw(path: Path, shown: Shown) -> None:
    columns = {name.removesuffix(" default"): arrays for name, arrays in shown.items()}
    some = next(iter(columns.values()))
    every = {"the truth": {name: some[f"{name} true"] for name in LAYERS}} | {
        network: {name: arrays[f"{name} found"] for name in LAYERS} for network, arrays in columns.items()
    }
    with figure_at(path, (2 * len(every) + 0.8, 6.4)) as figure:
        grid = figure.subplots(len(LAYERS), len(every), squeeze=False)
        for row, name in zip(grid, LAYERS, strict=True):
            most = limit(every["the truth"][name])
            for axes, (network, values) in zip(row, every.items(), strict=True):
                drawn = shown_at(axes, values[name], "RdBu_r", -most, most)
                axes.set_title(network if name == LAYERS[0] else "")
            figure.colorbar(drawn, ax=list(row), label=name, aspect=12, pad=0.01)


DERIVATIVE = Experiment(
    claim="The derivative of a SIREN is a SIREN, and that of what was fitted (section 2)",
    measures={name: Measure("{:.2%} off", False) for name in LAYERS},
    trials=trials,
    draw=draw,
)
