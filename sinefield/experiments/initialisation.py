"""What goes through a network before it has learnt anything."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from sinefield.experiments.drawing import halves
from sinefield.experiments.experiment import Experiment, Measure, Options, Outcome, Setting, Shown, Trial
from sinefield.networks import Siren
from sinefield.networks.init import default_uniform_
from sinefield.reports.figures import figure_at

WIDTH, LAYERS, POINTS = 256, 20, 2048
"""Of the networks, and places in [-1, 1]² that go through them."""

DRAWN, BINS = (2, 5, 10, 20), np.linspace(-1, 1, 61)
"""Layers whose activations are drawn, and the bins of their histograms."""

SCHEMES = {"SIREN's": None, "PyTorch's, ω = 1": 1.0, "PyTorch's, ω = 30": 30.0}
"""Initialisations by name: the paper's, or PyTorch's default for this ω of all layers."""


def sines(scheme: str, seed: int, depth: int = LAYERS - 1) -> Siren:
    """A sine network that was initialised like this."""
    omega, generator = SCHEMES[scheme], Generator().manual_seed(seed)
    if omega is None:
        return Siren(2, 1, WIDTH, depth, generator=generator)
    network = Siren(2, 1, WIDTH, depth, omega, omega, generator=generator)
    for parameter, weight in [
        *zip(network.weights, network.weights, strict=True),
        *zip(network.biases, network.weights, strict=True),
    ]:
        default_uniform_(parameter, weight.shape[1], generator=generator)
    return network


def activations(network: Siren, x: Tensor) -> list[Tensor]:
    """What leaves each sine, with the gradient of the output's sum by it."""
    found = []
    for layer in network.layers():
        x = layer(x)
        x.retain_grad()
        found.append(x)
    x.sum().backward()
    return found[1::2]


def trials(setting: Setting) -> list[Trial]:
    def run(scheme: str, options: Options) -> Outcome:
        x = torch.rand(POINTS, 2, generator=Generator().manual_seed(setting.seed)).double() * 2 - 1
        found = activations(sines(scheme, setting.seed).double(), x.requires_grad_())
        spread = np.array([float(a.detach().std()) for a in found])
        slope = np.array([float(a.grad.square().mean().sqrt()) for a in found if a.grad is not None])
        shown = {f"layer {k}": np.histogram(found[k - 1].detach().numpy(), BINS, density=True)[0] for k in DRAWN}
        figures = {"activations": factor(spread[-1] / spread[1]), "gradients": factor(slope[1] / slope[-1])}
        figures["the worse of both"] = max(figures.values())
        return Outcome(figures, 0.0, 0, {**shown, "spread": spread, "slope": slope})

    return [Trial(scheme, "default", partial(run, scheme)) for scheme in SCHEMES]


def factor(ratio: float) -> float:
    """By how much two numbers differ: ratio or 1 / ratio, whichever is above 1."""
    return max(ratio, 1 / ratio) if ratio > 0 else math.inf


def draw(path: Path, shown: Shown) -> None:
    columns = {name.removesuffix(" default"): arrays for name, arrays in shown.items()}
    middles = (BINS[1:] + BINS[:-1]) / 2
    inside = np.linspace(-0.999, 0.999, 400)
    with figure_at(path, (11, 6)) as figure:
        top, bottom = halves(figure)
        for axes, (name, arrays) in zip(top.subplots(1, len(columns), squeeze=False)[0], columns.items(), strict=True):
            for k, shade in zip(DRAWN, np.linspace(0.85, 0.2, len(DRAWN)), strict=True):
                axes.plot(middles, arrays[f"layer {k}"], color=str(shade), label=f"layer {k}")
            axes.plot(inside, 1 / (np.pi * np.sqrt(1 - inside**2)), ":", color="tab:red", label="arcsine")
            axes.set(title=f"{name} initialisation", xlabel="activation", ylabel="density", ylim=(0, 3))
        axes.legend(frameon=False, fontsize=7)
        for axes, key, title in zip(
            bottom.subplots(1, 2), ("spread", "slope"), ("activations", "gradients of the output by them"), strict=True
        ):
            for name, arrays in columns.items():
                axes.semilogy(np.arange(1, LAYERS + 1), arrays[key], marker=".", label=name)
            axes.set(xlabel="layer", xticks=range(2, LAYERS + 1, 2), title=f"root mean square of the {title}")
            axes.grid(alpha=0.3)
        axes.legend(frameon=False)


INIT = Experiment(
    claim="With its initialisation, what goes through a SIREN does not depend on the depth: here from layer 2 to 20 "
    "(section 3.2)",
    measures={
        "activations": Measure("× {:.3g}", None),
        "gradients": Measure("× {:.3g}", None),
        "the worse of both": Measure("× {:.3g}", False),
    },
    trials=trials,
    draw=draw,
    ours=("SIREN's",),
)
