"""The networks that a SIREN is compared with, each with the initialization and constants of its own paper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from sinefield.networks.activations import autonomous_derivatives, network_of, register_activation
from sinefield.networks.layers import Affine, Gabor, Layer, Pointwise, RealPart, Sine
from sinefield.networks.network import Perceptron
from sinefield.networks.siren import Siren, check_omega


@register_activation("relu", learning_rate=1e-2)
@dataclass(frozen=True)
class Relu(Pointwise):
    """f(v) = max(v, 0), with He's normal initialization as in the official SIREN code.

    The second derivative is zero, so a ReLU network has no Laplacian.
    """

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        if order == 0:
            return (torch.relu(v),)
        return (torch.relu(v), (v > 0).to(v.dtype), *[torch.zeros_like(v)] * (order - 1))

    @staticmethod
    def initialize(weight: Tensor, generator: Generator | None) -> None:
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


@register_activation("relu-pe", learning_rate=1e-2)
@dataclass(eq=False, repr=False)
class PositionalReluNet(Perceptron):
    """ReLU after a positional encoding by `octaves` sines and cosines per axis (Mildenhall et al. 2020)."""

    octaves: int = 8

    def __post_init__(self, generator: Generator | None) -> None:
        super().__post_init__(generator)
        self.encoding = _Encoding(octave_frequencies(self.in_dim, self.octaves))

    def weight_shapes(self) -> list[tuple[int, ...]]:
        (width, _), *others = super().weight_shapes()
        return [(width, 2 * self.octaves * self.in_dim), *others]

    def activation(self, index: int) -> Layer:
        return Relu()

    def initialize(self, generator: Generator | None) -> None:
        super().initialize(generator)
        for weight in self.weights:
            Relu.initialize(weight, generator)

    def layers(self) -> list[Layer]:
        return [Affine(self.encoding.weight, self.encoding.bias), Sine(1.0), *super().layers()]


@register_activation("rbf", learning_rate=5e-3)
@dataclass(eq=False, repr=False)
class RbfNet(Perceptron):
    """ReLU after `units` radial basis functions exp(-s² |x - c|²) with random centers c in [-1, 1], as in the paper.

    Their exponents are an affine map of squares, which is trained like any other layer: at first centers and widths,
    later without constraints.
    """

    units: int = 1024
    scale: float = 10.0

    def __post_init__(self, generator: Generator | None) -> None:
        super().__post_init__(generator)
        self.encoding = _Encoding(unit_shifts(self.in_dim))

    def weight_shapes(self) -> list[tuple[int, ...]]:
        (width, _), *others = super().weight_shapes()
        return [(self.units, 2 * self.in_dim), (width, self.units), *others]

    def activation(self, index: int) -> Layer:
        return Exponential() if index == 0 else Relu()

    def initialize(self, generator: Generator | None) -> None:
        super().initialize(generator)
        for weight in self.weights:
            Relu.initialize(weight, generator)
        centers = torch.empty(self.units, self.in_dim).uniform_(-1, 1, generator=generator)
        # -s² (x² - 2cx + c²) = -s²/2 ((1 - c) (x + 1)² + (1 + c) (x - 1)²) + s² (1 - c²)
        with torch.no_grad():
            self.weights[0].copy_(-(self.scale**2) / 2 * torch.cat([1 - centers, 1 + centers], dim=1))
            self.biases[0].copy_(self.scale**2 * (1 - centers.square()).sum(dim=1))

    def layers(self) -> list[Layer]:
        affine = [self.affine(index) for index in range(self.depth + 3)]
        return [Affine(self.encoding.weight, self.encoding.bias), Square(), *self.chained(affine)]


@register_activation("tanh", learning_rate=1e-2)
@dataclass(frozen=True)
class Tanh(Pointwise):
    """f(v) = tanh v, so f′ = 1 - f², with Glorot's normal initialization as in the official SIREN code."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        return autonomous_derivatives(torch.tanh(v), (1, 0, -1), order)

    @staticmethod
    def initialize(weight: Tensor, generator: Generator | None) -> None:
        nn.init.xavier_normal_(weight, generator=generator)


@register_activation("softplus", learning_rate=1e-2)
@dataclass(frozen=True)
class Softplus(Pointwise):
    """f(v) = log(1 + exp(v)), whose slope is the sigmoid s with s′ = s - s²; initialized like ReLU."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        f = torch.nn.functional.softplus(v, threshold=50)
        if order == 0:
            return (f,)
        return (f, *autonomous_derivatives(torch.sigmoid(v), (0, 1, -1), order - 1))

    initialize = Relu.initialize


@register_activation("gaussian", learning_rate=2e-3)
@dataclass(frozen=True)
class Gaussian(Pointwise):
    """f(v) = exp(-(s v)²) (Ramasinghe and Lucey, "Beyond Periodicity", ECCV 2022).

    From f′ = -2 s² v f follows Hermite's recurrence fₙ₊₁ = -2 s² (v fₙ + n fₙ₋₁). On pictures s = 10 was better than
    the usual 30.
    """

    scale: float = 10.0

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        s2 = self.scale**2
        f = [torch.exp(-s2 * v * v)]
        for n in range(order):
            f.append(-2 * s2 * (v * f[n] + n * f[n - 1] if n else v * f[0]))
        return tuple(f)


@register_activation("finer", learning_rate=1e-3, omega_from_signal=True)
@dataclass(eq=False, repr=False)
class Finer(Siren):
    """sin(ω (|v| + 1) v), initialized like a SIREN (Liu et al., "FINER", CVPR 2024)."""

    def activation(self, index: int) -> VariableSine:  # type: ignore[override]
        return VariableSine(self.omega_first if index == 0 else self.omega_hidden)


@register_activation("wire", learning_rate=1e-3)
@dataclass(eq=False, repr=False)
class Wire(Perceptron):
    """Complex Gabor wavelets, with PyTorch's default initialization (Saragadam et al., "WIRE", CVPR 2023).

    A complex weight counts as two parameters, so a layer has width/√2 units. s = 10 is the authors' constant. With
    their ω = 20 in the hidden layers too, networks of more than two hidden layers do not learn; with 10 they do.
    """

    real: ClassVar[bool] = False

    omega_first: float = 20.0
    omega_hidden: float = 10.0
    scale: float = 10.0

    def __post_init__(self, generator: Generator | None) -> None:
        check_omega(self.omega_first, self.omega_hidden)
        super().__post_init__(generator)

    def activation(self, index: int) -> Layer:
        return Gabor(self.omega_first if index == 0 else self.omega_hidden, self.scale)

    def weight_shapes(self) -> list[tuple[int, ...]]:
        """The first layer is real; the others are complex, stored as (out, in, 2) for the optimizers."""
        units = max(round(self.width / math.sqrt(2)), 1)
        return [(units, self.in_dim), *[(units, units, 2)] * self.depth, (self.out_dim, units, 2)]

    def affine(self, index: int) -> Affine:
        if index == 0:
            return super().affine(index)
        return Affine(torch.view_as_complex(self.weights[index]), torch.view_as_complex(self.biases[index]))

    def layers(self) -> list[Layer]:
        return [*super().layers(), RealPart()]


ReluNet = network_of(Relu)
"""Network with the activation `Relu` after every layer but the last."""

TanhNet = network_of(Tanh)
"""Network with the activation `Tanh` after every layer but the last."""

SoftplusNet = network_of(Softplus)
"""Network with the activation `Softplus` after every layer but the last."""

GaussianNet = network_of(Gaussian)
"""Network with the activation `Gaussian` after every layer but the last."""


@dataclass(frozen=True)
class Square(Pointwise):
    """f(v) = v²."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        return (v * v, 2 * v, torch.full_like(v, 2.0), *[torch.zeros_like(v)] * (order - 2))[: order + 1]


@dataclass(frozen=True)
class Exponential(Pointwise):
    """f(v) = exp(v), which equals each of its derivatives."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        return (torch.exp(v),) * (order + 1)


@dataclass(frozen=True)
class VariableSine(Pointwise):
    """f(v) = sin(ω (|v| + 1) v), whose frequency grows with |v| (Liu et al., "FINER", CVPR 2024, equation 5).

    With the phase φ, φ‴ = 0, so Leibniz's rule for (sin φ)′ = φ′ cos φ and (cos φ)′ = -φ′ sin φ has two terms. f″ is
    discontinuous at v = 0, where φ″ is taken as zero.
    """

    omega: float

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        phase = self.omega * (v.abs() + 1) * v
        sine = [torch.sin(phase)]
        if order == 0:
            return tuple(sine)
        cosine = [torch.cos(phase)]
        slope, bend = self.omega * (2 * v.abs() + 1), 2 * self.omega * torch.sign(v)

        def times_slope(u: list[Tensor], n: int) -> Tensor:
            """Return the derivative of order n of φ′ u, where u has the derivatives u[0], …, u[n]."""
            return slope * u[n] + n * bend * u[n - 1] if n else slope * u[0]

        for n in range(order):
            if n:
                cosine.append(-times_slope(sine, n - 1))
            sine.append(times_slope(cosine, n))
        return tuple(sine)


class _Encoding(nn.Module):
    """The fixed affine map of an encoding, as buffers that move with the network."""

    weight: Tensor
    bias: Tensor

    def __init__(self, affine: Affine):
        super().__init__()
        self.register_buffer("weight", affine.weight, persistent=False)
        self.register_buffer("bias", affine.bias, persistent=False)


def octave_frequencies(dim: int, count: int) -> Affine:
    """Return the frequencies 2ᵏ π of a positional encoding, as the affine map before a sine of ω = 1.

    x ↦ (2ᵏ π xⱼ, 2ᵏ π xⱼ + π/2) for j < dim and k < count, so that its sine consists of sines and cosines
    (Mildenhall et al., "NeRF", ECCV 2020, equation 4).
    """
    frequencies = math.pi * 2.0 ** torch.arange(count)
    weight = torch.kron(frequencies[:, None], torch.eye(dim))
    phase = torch.cat([torch.zeros(len(weight)), torch.full((len(weight),), math.pi / 2)])
    return Affine(torch.cat([weight, weight]), phase)


def unit_shifts(dim: int) -> Affine:
    """Return x ↦ (x + 1, x - 1); every quadratic function without mixed terms is an affine map of the squares.

    (x + 1)² - (x - 1)² = 4x and (x + 1)² + (x - 1)² = 2x² + 2.
    """
    return Affine(torch.eye(dim).repeat(2, 1), torch.tensor([1.0, -1.0]).repeat_interleave(dim))
