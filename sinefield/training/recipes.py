"""How to reach a quality: network, optimiser, step size and batch, chosen by measurement."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Generator
from torch.optim import Adam, Optimizer

from sinefield.domain import Domain, stretched
from sinefield.errors import InputError
from sinefield.networks import NETWORKS, Perceptron, PositionalReluNet, StackedNetworks
from sinefield.signals import Signal, characteristic_frequency
from sinefield.training.optimizers.natural import Natural
from sinefield.training.optimizers.soap import Soap, averaged

WIDTH = 256
"""Of a network, unless given; what the learning rates are chosen for."""

FASTEST, SLOWEST, SAMPLES = 0.47, 1.0, 4
"""The highest frequency of a first layer, at most so many radians a sample, since a field with more rings between its
samples; at least so many on half the domain; and so many samples a parameter, beyond which the field cannot follow each
of them and what counts is a coarser grid."""


@dataclass(frozen=True)
class Recipe:
    """What a fit is made with.

    Attributes:
        optimiser: groups of parameters, learning rate ↦ optimiser.
        rate: the learning rate for each activation, at a width of 256.
        batch: samples in a step, or their share if it is below 1; None for all.
        steps: how long, where nothing else is said.
        omega: ω of the first layer of a sine network, from the signal and the number of parameters.
        place: the domain as the network sees it, from the signal's domain and shape.
        width, depth: of the network.
        fixed: network options that the recipe does not leave open.
        steady: the ω of the first layer from which its rate falls as 1 / ω. A step moves its phases by ω times as
            much as its weights: at the 3,000 of a sound, by more than a turn.
    """

    optimizer: Callable[[Iterable[dict[str, Any]], float], Optimizer]
    rate: dict[str, float]
    batch: float | None
    steps: int
    omega: Callable[[Signal, int], float]
    network_domain: Callable[[Domain, tuple[int, ...]], Domain]
    width: int = WIDTH
    depth: int = 3
    fixed: tuple[str, ...] = ()
    steady: float = math.inf

    def samples(self, count: int) -> int:
        """How many of so many samples go into a step."""
        return count if self.batch is None else max(int(self.batch if self.batch >= 1 else self.batch * count), 1)

    def make_optimizer(self, network: Perceptron | StackedNetworks, activation: str, share: float = 1.0) -> Optimizer:
        """The optimiser of a network's parameters, at a share of the recipe's rate.

        A narrower network takes larger steps (Yang et al., "Tensor Programs V", 2022), by the square root of its width:
        in proportion to it, a network of 32 units lost what it had learnt.
        """
        rate = share * self.rate[activation] * math.sqrt(WIDTH / network.width)
        first = [network.weights[0], network.biases[0]]
        rest = [parameter for parameter in network.parameters() if all(parameter is not each for each in first)]
        slow = min(1.0, self.steady / getattr(network, "omega_first", 1.0))
        return self.optimizer([{"params": rest, "lr": rate}, {"params": first, "lr": slow * rate}], rate)


def natural_omega(signal: Signal, parameters: int, above: float = 0.0) -> float:
    """ω of the first layer for which a network begins with a signal's frequencies, by its spectrum and sampling rate.

    The first layer is sin(ω (W x + b)) with W ~ U(-1/d, 1/d) and x on [-1, 1], so ω / d is its highest frequency along
    an axis. For `above`, see `sinefield.signals.pace`.
    """
    header, dim = signal.header, signal.header.domain.dim
    coarser = max(signal.size / (SAMPLES * parameters), 1.0) ** (1 / dim)
    # of scattered samples the pace is the root mean square over all frequencies, above that of a share of them
    wanted = characteristic_frequency(signal, above=above) * (dim if signal.coords is None else 1)
    fastest = np.minimum(wanted, FASTEST / (coarser * np.asarray(header.step))) * header.domain.half_extent
    return float(f"{dim * max(float(fastest.max()), SLOWEST):.3g}")


def natural(groups: Iterable[dict[str, Any]], rate: float) -> Optimizer:
    """Its step does not depend on the width."""
    return Natural([parameter for group in groups for parameter in group["params"]], NATURAL_RATE)


def adam(groups: Iterable[dict[str, Any]], rate: float) -> Optimizer:
    return Adam(groups, lr=rate)


NATURAL_RATE, FEW, FLOOR = 0.5, 20_000, 40.0
"""Of natural gradients; up to how many scattered samples are fitted by them unless told otherwise; and so many times
the median power is more than noise."""

PAPER = Recipe(
    optimizer=adam,
    rate=dict.fromkeys(NETWORKS, 1e-4),
    batch=None,
    steps=10_000,
    omega=lambda signal, parameters: 30.0,
    network_domain=stretched,
    fixed=("width", "depth", "omega"),
)

NATURAL = Recipe(
    optimizer=natural,
    rate={name: NATURAL_RATE for name in NETWORKS if name != "wire"},
    batch=512,
    steps=300,
    omega=partial(natural_omega, above=FLOOR),
    network_domain=lambda domain, shape: domain,
    width=128,
    depth=1,
)

SMALL = Recipe(
    optimizer=lambda groups, rate: Soap(groups, rate, held=30, max_side=0),
    rate={name: 2e-3 for name in NETWORKS if name != "wire"},
    batch=256,
    steps=200,
    omega=lambda signal, parameters: 30.0,
    network_domain=lambda domain, shape: domain,
    width=32,
    depth=2,
)

RATES = {
    "sine": 1e-3,
    "relu": 1e-2,
    "relu-pe": 1e-2,
    "rbf": 5e-3,
    "tanh": 1e-2,
    "softplus": 1e-2,
    "gaussian": 2e-3,
    "finer": 1e-3,
    "wire": 1e-3,
}
"""Of SOAP; benchmarks/learning_rates.py prints what each of these was chosen from."""

RECIPES = {
    "default": Recipe(
        optimizer=Soap,
        rate=RATES,
        batch=2048,
        steps=3000,
        omega=natural_omega,
        network_domain=lambda domain, shape: domain,
        steady=60.0,
    ),
    "default, shape": Recipe(
        optimizer=Soap,
        rate=RATES,
        batch=2048,
        steps=1000,
        omega=lambda signal, parameters: 30.0,
        network_domain=lambda domain, shape: domain,
    ),
    "natural": NATURAL,
    "small": SMALL,
    "default, points": NATURAL,
    "paper": PAPER,
    # time goes from -100 to 100
    "paper, audio": replace(PAPER, steps=9001, network_domain=lambda domain, shape: stretched(domain, shape, 100.0)),
    "paper, video": replace(PAPER, steps=100_000, batch=38e-4, width=1024),
    # there all axes have one scale
    "paper, shape": replace(PAPER, steps=50_000, batch=1400, network_domain=lambda domain, shape: domain),
}
"""`default` is what `fit` takes; `natural`, a small network and steps that are worth a hundred, is for measurements of
something smooth, as scattered ones are as a rule; `small`, of which `fit_many` makes many at once, for pictures of a
thousand pixels; `paper` is the official code of Sitzmann et al. 2020."""


def recipe_for(name: str, signal: Signal, activation: str = "sine") -> Recipe:
    """The recipe of that name for a signal.

    Raises:
        InputError: there is none, or not for this activation.
    """
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}; choose from default, natural, small, paper")
    own = RECIPES.get(f"{name}, {signal.header.kind}", RECIPES[name])
    if activation not in own.rate or (own is NATURAL and signal.size > FEW):
        own = RECIPES[name]
    if activation in NETWORKS and activation not in own.rate:
        raise InputError(f"the recipe {name} is not for {activation}; take another")
    return own


def default_steps(plan: Recipe, psnr: float | None) -> int:
    """How long a fit goes on that no steps or seconds end: a quality alone may be out of reach."""
    return plan.steps * (1 if psnr is None else 10)


def build(
    activation: str,
    signal: Signal,
    recipe: Recipe,
    *,
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    seed: int = 0,
) -> Perceptron:
    """A network for a signal, with the recipe's width, depth and ω unless given.

    Raises:
        InputError: an unknown activation, an option that the recipe fixes, an ω for a network without one.
    """
    if activation not in NETWORKS:
        raise InputError(f"there is no activation {activation!r}; choose from {', '.join(NETWORKS)}")
    given = {
        name: value for name, value in {"width": width, "depth": depth, "omega": omega}.items() if value is not None
    }
    if ruled := [name for name in given if name in recipe.fixed]:
        raise InputError(
            f"this recipe fixes {', '.join(recipe.fixed)}; leave {', '.join(ruled)} out or take another recipe"
        )
    network, header = NETWORKS[activation], signal.header
    options: dict[str, Any] = {
        "width": recipe.width if width is None else width,
        "depth": recipe.depth if depth is None else depth,
    }
    if activation in ("sine", "finer"):
        with torch.device("meta"):
            parameters = sum(p.numel() for p in network(header.domain.dim, header.out_dim, **options).parameters())
        options["omega_first"] = float(omega if omega is not None else recipe.omega(signal, parameters))
    elif omega is not None and activation == "wire":
        options["omega_first"] = float(omega)
    elif omega is not None:
        raise InputError(f"omega is for sine, finer and wire; {activation} has none")
    if network is PositionalReluNet:
        # octave k has 2ᵏ cycles in the domain; half the samples of the longest axis is their Nyquist frequency
        options["octaves"] = max(max(header.shape).bit_length() - 1, 1)
    return network(header.domain.dim, header.out_dim, generator=Generator().manual_seed(seed), **options)


@contextmanager
def evaluation_weights(optimizer: Optimizer) -> Iterator[None]:
    """The weights to judge and to keep: the averaged ones where there are such, else those there are.

    Afterwards the weights are what they were, to the last bit.
    """
    with averaged(optimizer) if isinstance(optimizer, Soap) else nullcontext():
        yield
