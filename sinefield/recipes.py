"""How to reach a quality: network, optimiser, step size and batch, chosen by measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, nn
from torch.optim import Adam, Optimizer

from sinefield.domain import Domain, stretched
from sinefield.errors import InputError
from sinefield.fields import NETWORKS, Perceptron, PositionalReluNet
from sinefield.signals import Header
from sinefield.soap import Soap, averaged

WIDTH = 256
"""Of a network, unless given; what the learning rates are chosen for."""


LARGE = 256
"""The side from which a picture is fitted with larger weights; in a smaller one these ring between the pixels."""


@dataclass(frozen=True)
class Recipe:
    """What a fit is made with.

    Attributes:
        optimiser: parameters, learning rate ↦ optimiser.
        rate: the learning rate for each activation, at a width of 256.
        batch: samples in a step; None for all.
        steps: how long, where nothing else is said.
        omega: ω of the first layer of a sine network, from the number of coordinates.
        growth: by what the weights of a sine network, but the last layer's, are multiplied at the start for a picture
            whose ω was not chosen; pictures are rougher than most signals (Yeom et al., "Fast Training of Sinusoidal
            Neural Fields via Scaling Initialization", ICLR 2025).
        place: the domain as the network sees it, from the signal's domain and shape.
        fixed: network options that the recipe does not leave open.
    """

    optimiser: Callable[[Iterable[nn.Parameter], float], Optimizer]
    rate: dict[str, float]
    batch: int | None
    steps: int
    omega: Callable[[int], float]
    place: Callable[[Domain, tuple[int, ...]], Domain]
    growth: float = 1.0
    fixed: tuple[str, ...] = ()

    def rate_at(self, activation: str, width: int) -> float:
        """The learning rate, which a narrower network needs larger (Yang et al., "Tensor Programs V", 2022)."""
        return self.rate[activation] * WIDTH / width


def adam(parameters: Iterable[nn.Parameter], rate: float) -> Optimizer:
    return Adam(parameters, lr=rate)


RECIPES = {
    "default": Recipe(
        optimiser=Soap,
        # benchmarks/learning_rates.py prints what each of these was chosen from
        rate={
            "sine": 1e-3,
            "relu": 1e-2,
            "relu-pe": 1e-2,
            "tanh": 1e-2,
            "softplus": 1e-2,
            "gaussian": 2e-3,
            "finer": 1e-3,
            "wire": 1e-3,
        },
        batch=2048,
        steps=3000,
        omega=lambda dim: 30.0 * dim,  # W ~ U(-1/d, 1/d): the same frequencies along an axis in any dimension
        place=lambda domain, shape: domain,
        growth=1.5,
    ),
    "paper": Recipe(
        optimiser=adam,
        rate=dict.fromkeys(NETWORKS, 1e-4),
        batch=None,
        steps=10_000,
        omega=lambda dim: 30.0,
        place=stretched,
        fixed=("width", "depth", "omega"),
    ),
}
"""`default` is what `fit` takes; `paper` is the official code of Sitzmann et al. 2020 to the letter."""


def default_steps(recipe: str, psnr: float | None) -> int:
    """How long a fit goes on that no steps or seconds end: a quality alone may be out of reach.

    Raises:
        InputError: an unknown recipe.
    """
    if recipe not in RECIPES:
        raise InputError(f"there is no recipe {recipe!r}; choose from {', '.join(RECIPES)}")
    return RECIPES[recipe].steps * (1 if psnr is None else 10)


def build(
    activation: str,
    header: Header,
    recipe: Recipe,
    *,
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    seed: int = 0,
) -> Perceptron:
    """A network for a signal, 256 wide with 3 hidden layers after the first and the recipe's ω unless given.

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
    network = NETWORKS[activation]
    options: dict[str, Any] = {"width": WIDTH if width is None else width, "depth": 3 if depth is None else depth}
    if activation in ("sine", "finer"):
        options["omega_first"] = float(omega if omega is not None else recipe.omega(header.domain.dim))
    elif omega is not None and activation == "wire":
        options["omega_first"] = float(omega)
    elif omega is not None:
        raise InputError(f"omega is for sine, finer and wire; {activation} has none")
    if network is PositionalReluNet:
        # octave k has 2ᵏ cycles in the domain; half the samples of the longest axis is their Nyquist frequency
        options["octaves"] = max(max(header.shape).bit_length() - 1, 1)
    made = network(header.domain.dim, header.out_dim, generator=Generator().manual_seed(seed), **options)
    if activation == "sine" and omega is None and header.kind == "image" and max(header.shape) >= LARGE:
        with torch.no_grad():
            for weight in made.weights[:-1]:
                weight *= recipe.growth
    return made


@contextmanager
def judged(optimiser: Optimizer) -> Iterator[None]:
    """The weights to judge and to keep: the averaged ones where there are such, else those there are.

    Afterwards the weights are what they were, to the last bit.
    """
    with averaged(optimiser) if isinstance(optimiser, Soap) else nullcontext():
        yield
