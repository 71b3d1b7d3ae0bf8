"""Parts of figures that several experiments share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sinefield.experiments.experiment import RECIPES, Array, Arrays
from sinefield.field.field import Field
from sinefield.field.grayscale import channel_mean, gradient_magnitude, robust_limit
from sinefield.metrics import psnr
from sinefield.reports import figures
from sinefield.reports.figures import Axes, network_style
from sinefield.signals import Signal
from sinefield.signals.stencils import estimate_gradient, estimate_laplacian

RECIPE_TITLES = {"default": "Default recipe", "paper": "Recipe of the paper"}
"""Recipes in titles."""

DERIVATIVES: dict[str, Callable[[Array], Array]] = {"gradient": gradient_magnitude, "laplacian": channel_mean}
"""Functions that reduce derivatives to one number per pixel, by quantity."""


def derivative_arrays(field: Field, signal: Signal) -> dict[str, Array]:
    """Return the arrays that `draw_derivatives` draws: values and derivatives of a grayscale picture and its field."""
    low, high = signal.header.low[0], signal.header.high[0]

    def normalize(samples: Array) -> Array:
        return np.clip((samples.astype(np.float64) - low) / (high - low), 0, 1)

    reduce = {"value": normalize, **DERIVATIVES}
    references = [signal.samples, estimate_gradient(signal).values, estimate_laplacian(signal).values]
    arrays = {quantity: reduce[quantity](field.render(quantity=quantity)) for quantity in reduce}
    for quantity, reference in zip(reduce, references, strict=True):
        arrays[f"reference {quantity}"] = reduce[quantity](reference)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def draw_derivatives(path: Path, arrays: Arrays, label: str = "") -> None:
    """Save a figure with a column for the reference and each network, above the PSNR during training.

    Args:
        path: Path of the figure.
        arrays: Arrays of the trials.
        label: Label of the trials that are drawn.
    """
    fields = {network_of(name, label): arrays[name] for name in trials_of(arrays, "default", label)}
    first = next(iter(fields.values() or arrays.values()))
    reference = {quantity: first[f"reference {quantity}"] for quantity in ("value", *DERIVATIVES)}
    columns = {"Reference": reference, **fields}
    slope_limit, curvature_limit = (robust_limit(reference[quantity]) for quantity in DERIVATIVES)
    with figures.saved_figure(path, (2.1 * len(columns) + 0.8, 9.8)) as figure:
        top, bottom = figures.stacked(figure, [6.6, 3.2])
        rows = top.subplots(3, len(columns), squeeze=False)
        for column, (name, each) in zip(rows.T, columns.items(), strict=True):
            figures.draw_picture(column[0], each["value"], name)
            slope = figures.draw_map(column[1], each["gradient"], "magma", 0, slope_limit)
            curvature = figures.draw_map(column[2], each["laplacian"], "RdBu_r", -curvature_limit, curvature_limit)
        labels = ("", "Gradient magnitude (1/px)", "Laplacian (1/px²)")
        figures.draw_row_color_bars(top, rows, (None, slope, curvature), labels)
        for axes, recipe in zip(bottom.subplots(1, 2, sharey=True), RECIPES, strict=True):
            draw_psnr_curves(axes, arrays, recipe, label)
            axes.set_title(f"{RECIPE_TITLES[recipe]}{f', PSNR of the {label}' if label else ''}")


def draw_psnr_curves(axes: Axes, arrays: Arrays, recipe: str, label: str = "") -> None:
    """Draw the PSNR of each network during training against time."""
    _draw_curves(axes, arrays, recipe, label, psnr)
    axes.set(ylabel="PSNR (dB)")


def draw_loss_curves(axes: Axes, arrays: Arrays, recipe: str, label: str = "", ylabel: str = "Loss") -> None:
    """Draw the error of each network during training against time, on a logarithmic scale."""
    _draw_curves(axes, arrays, recipe, label, float)
    axes.set(ylabel=ylabel, yscale="log")


def trials_of(arrays: Arrays, recipe: str, label: str = "") -> Iterator[str]:
    """Yield the names of the trials with a recipe and a label."""
    return (name for name in arrays if name.startswith(label) and name.endswith(f" {recipe}"))


def network_of(trial: str, label: str = "") -> str:
    """Return the network of a trial from its name."""
    return trial.removeprefix(label).rsplit(" ", 1)[0].strip()


def _draw_curves(axes: Axes, arrays: Arrays, recipe: str, label: str, convert: Callable[[float], float]) -> None:
    for trial in trials_of(arrays, recipe, label):
        history, network = arrays[trial]["history"], network_of(trial, label)
        marker, width = "." if len(history) < 12 else "", 2.5 if network == "sine" else 1.2
        values = [convert(error) for error in history[:, 2]]
        style = network_style(network)
        axes.plot(history[:, 1], values, **style, label=network, linewidth=width, marker=marker)
    figures.set_time_axis(axes)
    axes.set_title(f"{RECIPE_TITLES[recipe]}{f', {label}' if label else ''}")
    if axes.lines:
        axes.legend(frameon=False)
