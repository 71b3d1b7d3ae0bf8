"""Networks outside the domain that they were fitted on, and with shifted coordinates."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Generator

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
from sinefield.networks import ACTIVATIONS
from sinefield.networks.layers import through
from sinefield.reports.figures import network_style, saved_figure
from sinefield.signals import from_array
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "tanh")
"""Networks of the experiment."""

BUDGET = Budget(small=(6, 0), steps=0, seconds=60)
"""Duration of each trial."""

EXTENT = 20.0
"""Distance from the center up to which the fields are evaluated; the fitted domain is [-1, 1]."""

SHIFT = 1000.0
"""Distance by which the coordinates on [-1, 1] are shifted."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    with saved_figure(path, (10, 3.6)) as figure:
        axes = figure.subplots()
        for name, each in arrays.items():
            network = name.removesuffix(" default")
            axes.plot(each["t"], each["values"], label=network, **network_style(network), linewidth=1)
        axes.axvspan(-1, 1, color="black", alpha=0.1, label="Fitted domain")
        axes.set(xlabel="t", ylabel="Φ(t)", ylim=(-3, 3), title="Extrapolation outside the fitted domain")
        axes.legend(frameon=False, ncols=4)


@register_experiment(
    "outside",
    claim="Outside the fitted domain SIREN continues as waves, and its activations are invariant under shifts of the "
    "coordinates (section 3)",
    measures={
        "extrapolated value": Measure("× {:.3g}", None),
        "change by a shift": Measure("{:.3f}", False),
    },
    draw=draw,
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    t = (np.arange(500) + 0.5) / 500 * 2 - 1
    signal = from_array(np.sin(12 * t) * np.exp(-3 * t**2), origin=(t[0],), step=(t[1] - t[0],), axes=("t",))

    def run(network: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, width=64, depth=2, **options)
        wide = np.linspace(-EXTENT, EXTENT, 4001)
        values, inside = field.at(wide[:, None])[:, 0], np.abs(wide) <= 1
        largest = np.abs(values[~inside]).max() / np.abs(values[inside]).max()
        change = shift_sensitivity(network, setting.seed)
        measured = {"extrapolated value": float(largest), "change by a shift": change}
        return fit_outcome(field, measured, t=wide, values=values.astype(np.float32))

    return [Trial(network, "default", partial(run, network), BUDGET) for network in NETWORKS]


@torch.no_grad()
def shift_sensitivity(network: str, seed: int) -> float:
    """Return how much a shift of the coordinates changes the activations of the last hidden layer.

    It is the Kolmogorov-Smirnov statistic of their distributions at random points and at shifted points, from 0 to 1.
    """
    from scipy.stats import ks_2samp

    generator = Generator().manual_seed(seed)
    layers = ACTIVATIONS[network](2, 1, generator=generator).layers()[:-1]
    x = torch.rand(2048, 2, generator=generator) * 2 - 1
    before, after = (through(layers, each).flatten().numpy() for each in (x, x + SHIFT))
    return float(ks_2samp(before, after).statistic)
