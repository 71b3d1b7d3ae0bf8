"""Recipes: the network, optimizer, learning rate and batch size for a kind of signal, chosen by measurement."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Generator
from torch.optim import Optimizer

from sinefield.domain import Domain, stretched
from sinefield.errors import InputError
from sinefield.networks import ACTIVATIONS, Perceptron, PositionalReluNet, StackedNetworks
from sinefield.signals import Signal, characteristic_frequency
from sinefield.training.optimizers.choices import SIGNAL_OPTIMIZERS, Groups, OptimizerChoice, adam, find_optimizer
from sinefield.training.optimizers.soap import Soap
from sinefield.training.spec import NetworkSpec

REFERENCE_WIDTH = 256
"""Default width of a network, for which the learning rates are given."""

MAX_RADIANS_PER_SAMPLE = 0.47
"""Largest frequency of a first layer; at higher ones a field oscillates between the samples."""

MIN_FREQUENCY = 1.0
"""Smallest frequency of a first layer, in radians per half domain."""

SAMPLES_PER_PARAMETER = 4
"""Above this ratio a field cannot follow each sample, and its frequencies are those of a coarser grid."""

MAX_NATURAL_SAMPLES = 20_000
"""Number of scattered samples up to which natural gradients are the default."""

NOISE_FLOOR = 40.0
"""Power above this multiple of the median power is signal rather than noise."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a fit.

    Attributes:
        optimizer: Optimizer with its settings.
        batch: Samples in a step, or their share if it is below 1; None for all of them.
        steps: Length of a training for which neither steps nor seconds are given.
        omega: Function of the signal and the number of parameters to ω of the first layer.
        network_domain: Function of the domain and shape of a signal to the domain that is mapped to [-1, 1]ᵈ.
        width, depth: Default sizes of the network.
        fixed: Options of the network that the recipe does not allow to be set.
        steady_omega: ω of the first layer above which its learning rate decreases as 1/ω. A step changes its phases by
            ω times as much as its weights: at the 3,000 of a sound, by more than a period.
        real_only: Whether networks with complex weights are excluded.
    """

    optimizer: OptimizerChoice
    batch: float | None
    steps: int
    omega: Callable[[Signal, int], float]
    network_domain: Callable[[Domain, tuple[int, ...]], Domain] = lambda domain, shape: domain
    width: int = REFERENCE_WIDTH
    depth: int = 3
    fixed: tuple[str, ...] = ()
    steady_omega: float = math.inf
    real_only: bool = False

    def batch_size(self, count: int) -> int:
        """Return the number of samples in a step, out of `count` samples."""
        return count if self.batch is None else max(int(self.batch if self.batch >= 1 else self.batch * count), 1)

    def make_optimizer(self, network: Perceptron | StackedNetworks, scale: float = 1.0) -> Optimizer:
        """Create the optimizer of a network, at `scale` times the learning rate of the recipe.

        The learning rate is proportional to the inverse root of the width (Yang et al., "Tensor Programs V", 2022, have
        the inverse width, with which a network of 32 units unlearned what it had learned).
        """
        own = network.learning_rate if isinstance(network, Perceptron) else None
        base = self.optimizer.learning_rate or own or 0.0
        rate = scale * base * math.sqrt(REFERENCE_WIDTH / network.width)
        first = [network.weights[0], network.biases[0]]
        rest = [parameter for parameter in network.parameters() if all(parameter is not each for each in first)]
        slowdown = min(1.0, self.steady_omega / getattr(network, "omega_first", 1.0))
        groups: Groups = [{"params": rest, "lr": rate}, {"params": first, "lr": slowdown * rate}]
        return self.optimizer.make(groups, base)


def natural_omega(signal: Signal, parameters: int, above: float = 0.0) -> float:
    """Return ω of a first layer that spans the frequencies of a signal, by its spectrum and sampling rate.

    The first layer is sin(ω (W x + b)) with W ~ U(-1/d, 1/d) and x in [-1, 1], so ω / d is its largest frequency along
    an axis. For `above`, see `sinefield.signals.characteristic_frequency`.
    """
    header, dim = signal.header, signal.header.domain.dim
    coarsening = max(signal.size / (SAMPLES_PER_PARAMETER * parameters), 1.0) ** (1 / dim)
    # of scattered samples it is the root mean square over all frequencies, which lies above that of a share of them
    wanted = characteristic_frequency(signal, above=above) * (dim if signal.coords is None else 1)
    largest = MAX_RADIANS_PER_SAMPLE / (coarsening * np.asarray(header.step))
    frequencies = np.minimum(wanted, largest) * header.domain.half_extent
    return float(f"{dim * max(float(frequencies.max()), MIN_FREQUENCY):.3g}")


def constant_omega(signal: Signal, parameters: int) -> float:
    """Return the ω = 30 of the paper."""
    return 30.0


DEFAULT = Recipe(optimizer=SIGNAL_OPTIMIZERS["soap"], batch=2048, steps=3000, omega=natural_omega, steady_omega=60.0)

NATURAL = Recipe(
    optimizer=SIGNAL_OPTIMIZERS["natural"],
    batch=512,
    steps=300,
    omega=partial(natural_omega, above=NOISE_FLOOR),
    width=128,
    depth=1,
    real_only=True,
)

SMALL = Recipe(
    optimizer=OptimizerChoice(lambda groups, rate: Soap(groups, rate, decay_start=30, max_side=0), 2e-3, steps=200),
    batch=256,
    steps=200,
    omega=constant_omega,
    width=32,
    depth=2,
    real_only=True,
)

PAPER = Recipe(
    optimizer=OptimizerChoice(adam, 1e-4, steps=10_000),
    batch=None,
    steps=10_000,
    omega=constant_omega,
    network_domain=stretched,
    fixed=("width", "depth", "omega", "optimizer"),
)

RECIPES = {
    "default": DEFAULT,
    "default, shape": replace(DEFAULT, steps=1000, omega=constant_omega, steady_omega=math.inf),
    "default, points": NATURAL,
    "natural": NATURAL,
    "small": SMALL,
    "paper": PAPER,
    # the official code maps time to [-100, 100]
    "paper, audio": replace(PAPER, steps=9001, network_domain=lambda domain, shape: stretched(domain, shape, 100.0)),
    "paper, video": replace(PAPER, steps=100_000, batch=38e-4, width=1024),
    # and gives all axes of a shape one scale
    "paper, shape": replace(PAPER, steps=50_000, batch=1400, network_domain=lambda domain, shape: domain),
}
"""Recipes by name, with variants for some kinds of signal.

`default` is what `sinefield.fit` uses. `natural`, a small network trained with few but expensive steps, is for
measurements of something smooth, as scattered samples usually are. `small` is for pictures of about a thousand pixels,
of which `sinefield.fit_many` fits many at once. `paper` is the official code of Sitzmann et al. 2020.
"""


def find_recipe(name: str, signal: Signal, activation: str = "sine", optimizer: str | None = None) -> Recipe:
    """Return the recipe of a name for a signal.

    Args:
        name: "default", "natural", "small" or "paper".
        signal: Signal to fit.
        activation: Name of the activation.
        optimizer: Name of an optimizer that replaces that of the recipe.

    Raises:
        InputError: There is no such recipe, it excludes the activation, or it does not allow another optimizer.
    """
    names = dict.fromkeys(each.split(",")[0] for each in RECIPES)
    if name not in names:
        raise InputError(f"there is no recipe {name!r}; choose from {', '.join(names)}")
    network = ACTIVATIONS.find(activation)
    recipe = RECIPES.get(f"{name}, {signal.header.kind}", RECIPES[name])
    if (recipe.real_only and not network.real) or (recipe is NATURAL and signal.size > MAX_NATURAL_SAMPLES):
        recipe = RECIPES[name]
    if recipe.real_only and not network.real:
        raise InputError(f"the recipe {name} is not for {activation}, which has complex weights; take another recipe")
    if optimizer is None:
        return recipe
    choice = find_optimizer(SIGNAL_OPTIMIZERS, optimizer)
    if "optimizer" in recipe.fixed:
        raise InputError(f"the recipe {name} fixes the optimizer; leave it out or take another recipe")
    if optimizer == "natural" and not network.real:
        raise InputError(f"natural gradients need real weights; {activation} has complex ones, take another optimizer")
    return replace(recipe, optimizer=choice, steps=choice.steps if choice is not DEFAULT.optimizer else recipe.steps)


def build_network(spec: NetworkSpec, signal: Signal, recipe: Recipe, seed: int = 0) -> Perceptron:
    """Create a network for a signal, with the sizes and the ω of the recipe where they are not given.

    Raises:
        InputError: An unknown activation, an option that the recipe fixes, or an ω for a network without one.
    """
    network, header = ACTIVATIONS.find(spec.activation), signal.header
    given = {"width": spec.width, "depth": spec.depth, "omega": spec.omega}
    if fixed := [name for name, value in given.items() if value is not None and name in recipe.fixed]:
        raise InputError(
            f"this recipe fixes {', '.join(recipe.fixed)}; leave {', '.join(fixed)} out or take another recipe"
        )
    check_omega_option(spec)
    options: dict[str, Any] = {
        "width": recipe.width if spec.width is None else spec.width,
        "depth": recipe.depth if spec.depth is None else spec.depth,
    }
    if spec.omega is not None:
        options["omega_first"] = float(spec.omega)
    elif network.omega_from_signal:
        with torch.device("meta"):
            parameters = sum(p.numel() for p in network(header.domain.dim, header.out_dim, **options).parameters())
        options["omega_first"] = float(recipe.omega(signal, parameters))
    if network is PositionalReluNet:
        # octave k has 2ᵏ cycles in the domain; half the samples of the longest axis is their Nyquist frequency
        options["octaves"] = max(max(header.shape).bit_length() - 1, 1)
    return network(header.domain.dim, header.out_dim, generator=Generator().manual_seed(seed), **options)


def check_omega_option(spec: NetworkSpec) -> None:
    """Raise InputError if an ω is given for an activation without one."""
    if spec.omega is not None and not ACTIVATIONS.find(spec.activation).has_omega():
        names = [name for name, network in ACTIVATIONS.items() if network.has_omega()]
        raise InputError(f"omega applies to {', '.join(names)}; {spec.activation} has none")
