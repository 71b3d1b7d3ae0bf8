"""What networks do where they have seen nothing, and when their coordinates are shifted."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import ks_2samp
from torch import Generator

from sinefield.experiments.drawing import color
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
from sinefield.networks import NETWORKS as KINDS
from sinefield.networks.layers import through
from sinefield.reports.figures import figure_at
from sinefield.signals import from_array
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "tanh")

BUDGET = Budget(small=(6, 0), steps=0, seconds=60)

FAR, SHIFT = 20.0, 1000.0
"""How far the networks are looked at, in half their domains, and by how much coordinates on [-1, 1] are shifted."""


def trials(setting: Setting) -> list[Trial]:
    t = (np.arange(500) + 0.5) / 500 * 2 - 1
    signal = from_array(np.sin(12 * t) * np.exp(-3 * t**2), origin=(t[0],), step=(t[1] - t[0],), axes=("t",))

    def run(network: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, width=64, depth=2, **options)
        wide = np.linspace(-FAR, FAR, 4001)
        values, inside = field.at(wide[:, None]), np.abs(wide) <= 1
        largest = np.abs(values[~inside]).max() / np.abs(values[inside]).max()
        figures = {"value far outside": float(largest), "what a shift changes": moved(network, setting.seed)}
        return outcome(field, figures, t=wide, values=values.astype(np.float32))

    return [Trial(network, "default", partial(run, network), BUDGET) for network in NETWORKS]


@torch.no_grad()
def moved(network: str, seed: int) -> float:
    """How far the distribution of the last hidden layer's activations is from itself when all coordinates are shifted:
    the statistic of Kolmogorov and Smirnov, from 0 to 1."""
    generator = Generator().manual_seed(seed)
    layers = KINDS[network](2, 1, generator=generator).layers()[:-1]
    x = torch.rand(2048, 2, generator=generator) * 2 - 1
    before, after = (through(layers, each).flatten().numpy() for each in (x, x + SHIFT))
    return float(ks_2samp(before, after).statistic)


def draw(path: Path, shown: Shown) -> None:
    with figure_at(path, (10, 3.6)) as figure:
        axes = figure.subplots()
        for name, arrays in shown.items():
            network = name.removesuffix(" default")
            axes.plot(arrays["t"], arrays["values"], label=network, color=color(network), linewidth=1)
        axes.axvspan(-1, 1, color="black", alpha=0.1, label="where they were fitted")
        axes.set(xlabel="t", ylabel="Φ(t)", ylim=(-3, 3), title="far outside of what was fitted")
        axes.legend(frameon=False, ncols=4)


OUTSIDE = Experiment(
    claim="Outside, a SIREN goes on as waves; where its coordinates begin does not matter to it (section 3)",
    measures={"value far outside": Measure("× {:.3g}", None), "what a shift changes": Measure("{:.3f}", False)},
    trials=trials,
    draw=draw,
)
