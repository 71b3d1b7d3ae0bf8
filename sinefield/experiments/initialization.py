"""Activations and gradients of networks at initialization."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from sinefield.experiments.experiment import (
    Array,
    Arrays,
    Measure,
    Options,
    Outcome,
    Setting,
    Trial,
    register_experiment,
)
from sinefield.networks import Siren
from sinefield.networks.init import default_uniform_
from sinefield.reports.figures import Axes, line_style, saved_figure, stacked

WIDTH = 256
"""Units in a hidden layer."""

LAYERS = 20
"""Number of sine layers."""

POINTS = 2048
"""Number of random points in [-1, 1]²."""

DRAWN_LAYERS = (2, 5, 10, 20)
"""Layers whose activations are drawn as histograms."""

BINS = np.linspace(-1, 1, 61)
"""Bins of the histograms."""

SCHEMES = {"SIREN": None, "PyTorch, ω = 1": 1.0, "PyTorch, ω = 30": 30.0}
"""Initializations: that of the paper (None), or the default of PyTorch with ω of all layers."""

RATIO = "× {:.3g}"
"""Format of a ratio between layers."""


def make_network(scheme: str, seed: int, depth: int = LAYERS - 1) -> Siren:
    """Create a sine network with an initialization of `SCHEMES`."""
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
    """Return the output of each sine layer; its `grad` is the gradient of the sum of the outputs of the network."""
    outputs = []
    for layer in network.layers():
        x = layer(x)
        x.retain_grad()
        outputs.append(x)
    x.sum().backward()
    return outputs[1::2]


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    columns = {name.removesuffix(" default"): each for name, each in arrays.items()}
    labels = {"activation": "Standard deviation", "gradient": "Root mean square"}
    titles = {"activation": "Activations by layer", "gradient": "Gradients of the output with respect to activations"}
    with saved_figure(path, (11, 6)) as figure:
        top, bottom = stacked(figure)
        for axes, (name, each) in zip(top.subplots(1, len(columns), squeeze=False)[0], columns.items(), strict=True):
            _draw_histograms(axes, each)
            axes.set(title=f"Initialization: {name}", xlabel="Activation", ylabel="Density", ylim=(0, 3))
        axes.legend(frameon=False, fontsize=7)
        for axes, (key, label) in zip(bottom.subplots(1, 2), labels.items(), strict=True):
            for index, (name, each) in enumerate(columns.items()):
                axes.semilogy(np.arange(1, LAYERS + 1), each[key], marker="osv"[index], markersize=4, label=name)
            axes.set(xlabel="Layer", ylabel=label, xticks=range(2, LAYERS + 1, 2), title=titles[key])
            axes.grid(alpha=0.3)
        axes.legend(frameon=False)


def _draw_histograms(axes: Axes, arrays: Mapping[str, Array]) -> None:
    """Draw the densities of the activations, and the arcsine density that the paper derives."""
    centers, inner = (BINS[1:] + BINS[:-1]) / 2, np.linspace(-0.999, 0.999, 400)
    for layer, shade in zip(DRAWN_LAYERS, np.linspace(0.85, 0.2, len(DRAWN_LAYERS)), strict=True):
        axes.plot(centers, arrays[f"layer {layer}"], "-", color=str(shade), label=f"Layer {layer}")
    axes.plot(inner, 1 / (np.pi * np.sqrt(1 - inner**2)), ":", color=line_style(1)["color"], label="Arcsine")


@register_experiment(
    "init",
    claim="With the initialization of SIREN, activations and gradients do not depend on the depth: ratios between "
    "layers 2 and 20 (section 3.2)",
    measures={
        "activations": Measure(RATIO, None),
        "gradients": Measure(RATIO, None),
        "larger ratio": Measure(RATIO, False),
    },
    draw=draw,
    expected_best=("SIREN",),
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""

    def run(scheme: str, options: Options) -> Outcome:
        x = torch.rand(POINTS, 2, generator=Generator().manual_seed(setting.seed)).double() * 2 - 1
        outputs = activations(make_network(scheme, setting.seed).double(), x.requires_grad_())
        activation = np.array([float(each.detach().std()) for each in outputs])
        gradient = np.array([float(each.grad.square().mean().sqrt()) for each in outputs if each.grad is not None])
        histograms = {
            f"layer {k}": np.histogram(outputs[k - 1].detach().numpy(), BINS, density=True)[0] for k in DRAWN_LAYERS
        }
        ratios = {"activations": activation[-1] / activation[1], "gradients": gradient[1] / gradient[-1]}
        values = {name: larger_ratio(ratio) for name, ratio in ratios.items()}
        values["larger ratio"] = max(values.values())
        return Outcome(values, 0.0, 0, {**histograms, "activation": activation, "gradient": gradient})

    return [Trial(scheme, "default", partial(run, scheme)) for scheme in SCHEMES]


def larger_ratio(ratio: float) -> float:
    """Return a ratio or its inverse, whichever is larger."""
    return max(ratio, 1 / ratio) if ratio > 0 else math.inf
