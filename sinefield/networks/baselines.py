"""The networks that a SIREN is compared with, each with the initialisation and constants of its own paper."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sinefield.networks.layers import (
    Affine,
    Exponential,
    Gabor,
    Gaussian,
    Layer,
    RealPart,
    Relu,
    Sine,
    Softplus,
    Square,
    Tanh,
    VariableSine,
    octaves,
    steps_aside,
)
from sinefield.networks.network import Perceptron
from sinefield.networks.siren import Siren, check_omega


@dataclass(eq=False, repr=False)
class ReluNet(Perceptron):
    """ReLU, with He's normal initialisation (as the official SIREN code has it)."""

    def activation(self, index: int) -> Layer:
        return Relu()

    def initialize(self, generator: Generator | None) -> None:
        super().initialize(generator)
        for weight in self.weights:
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


@dataclass(eq=False, repr=False)
class PositionalReluNet(ReluNet):
    """ReLU after a positional encoding by `octaves` sines and cosines an axis (Mildenhall et al. 2020)."""

    octaves: int = 8

    def __post_init__(self, generator: Generator | None) -> None:
        super().__post_init__(generator)
        self.encoding = _Encoding(octaves(self.in_dim, self.octaves))

    def weight_shapes(self) -> list[tuple[int, ...]]:
        (width, _), *others = super().weight_shapes()
        return [(width, 2 * self.octaves * self.in_dim), *others]

    def layers(self) -> list[Layer]:
        return [Affine(self.encoding.weight, self.encoding.bias), Sine(1.0), *super().layers()]


@dataclass(eq=False, repr=False)
class RbfNet(ReluNet):
    """ReLU after `units` radial basis functions exp(-s² |x - c|²) with random centres c on [-1, 1] (as in the paper).

    Their exponents are an affine map of squares, which is learnt like any other: first centres and widths, then all.
    """

    units: int = 1024
    scale: float = 10.0

    def __post_init__(self, generator: Generator | None) -> None:
        super().__post_init__(generator)
        self.encoding = _Encoding(steps_aside(self.in_dim))

    def weight_shapes(self) -> list[tuple[int, ...]]:
        (width, _), *others = super().weight_shapes()
        return [(self.units, 2 * self.in_dim), (width, self.units), *others]

    def activation(self, index: int) -> Layer:
        return Exponential() if index == 0 else Relu()

    def initialize(self, generator: Generator | None) -> None:
        super().initialize(generator)
        centers = torch.empty(self.units, self.in_dim).uniform_(-1, 1, generator=generator)
        # -s² (x² - 2cx + c²) = -s²/2 ((1 - c) (x + 1)² + (1 + c) (x - 1)²) + s² (1 - c²)
        with torch.no_grad():
            self.weights[0].copy_(-(self.scale**2) / 2 * torch.cat([1 - centers, 1 + centers], dim=1))
            self.biases[0].copy_(self.scale**2 * (1 - centers.square()).sum(dim=1))

    def layers(self) -> list[Layer]:
        affine = [self.affine(index) for index in range(self.depth + 3)]
        return [Affine(self.encoding.weight, self.encoding.bias), Square(), *self.chained(affine)]


class _Encoding(nn.Module):
    """The fixed affine map of an encoding, as buffers that move with the network."""

    weight: Tensor
    bias: Tensor

    def __init__(self, affine: Affine):
        super().__init__()
        self.register_buffer("weight", affine.weight, persistent=False)
        self.register_buffer("bias", affine.bias, persistent=False)


@dataclass(eq=False, repr=False)
class SoftplusNet(ReluNet):
    """Softplus, initialised like ReLU (as the official SIREN code has it)."""

    def activation(self, index: int) -> Layer:
        return Softplus()


@dataclass(eq=False, repr=False)
class TanhNet(Perceptron):
    """tanh, with Glorot's normal initialisation (as the official SIREN code has it)."""

    def activation(self, index: int) -> Layer:
        return Tanh()

    def initialize(self, generator: Generator | None) -> None:
        super().initialize(generator)
        for weight in self.weights:
            nn.init.xavier_normal_(weight, generator=generator)


@dataclass(eq=False, repr=False)
class GaussianNet(Perceptron):
    """exp(-(s v)²), with PyTorch's default initialisation; s = 10 suited pictures best among 10 and the usual 30."""

    scale: float = 10.0

    def activation(self, index: int) -> Layer:
        return Gaussian(self.scale)


@dataclass(eq=False, repr=False)
class Finer(Siren):
    """sin(ω (|v| + 1) v), initialised like a SIREN (Liu et al. 2024)."""

    def activation(self, index: int) -> VariableSine:  # type: ignore[override]
        return VariableSine(self.omega_first if index == 0 else self.omega_hidden)


@dataclass(eq=False, repr=False)
class Wire(Perceptron):
    """Complex Gabor wavelets, with PyTorch's default initialisation (Saragadam et al. 2023).

    A complex weight counts twice, so there are width/√2 units in a layer. s = 10 is the authors' constant; with their
    ω = 20 in the hidden layers too, more than two of these do not learn, with 10 they do.
    """

    omega_first: float = 20.0
    omega_hidden: float = 10.0
    scale: float = 10.0

    def __post_init__(self, generator: Generator | None) -> None:
        check_omega(self.omega_first, self.omega_hidden)
        super().__post_init__(generator)

    def activation(self, index: int) -> Layer:
        return Gabor(self.omega_first if index == 0 else self.omega_hidden, self.scale)

    def weight_shapes(self) -> list[tuple[int, ...]]:
        """The first layer is real; the others are complex, held as (out, in, 2) so that any optimiser can have them."""
        units = max(round(self.width / math.sqrt(2)), 1)
        return [(units, self.in_dim), *[(units, units, 2)] * self.depth, (self.out_dim, units, 2)]

    def affine(self, index: int) -> Affine:
        if index == 0:
            return super().affine(index)
        return Affine(torch.view_as_complex(self.weights[index]), torch.view_as_complex(self.biases[index]))

    def layers(self) -> list[Layer]:
        return [*super().layers(), RealPart()]
