"""Layers as values: what a network is made of, as `jets` sees it.

A layer is a function of its input (…, in) → (…, out). It holds tensors, not parameters, so that weights which another
network made are used in the same way. Whoever adds an activation writes its derivatives here, and nothing else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class Layer(ABC):
    """A differentiable map of the last axis."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Affine(Layer):
    """x ↦ W x + b, with W (out, in) and b (out,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return torch.nn.functional.linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class Rescale(Layer):
    """x ↦ (x - shift) · scale, element by element.

    The difference is taken in the input's own precision (a time in float64 keeps its digits), the result is `dtype`.
    """

    shift: Tensor
    scale: Tensor
    dtype: torch.dtype

    def __call__(self, x: Tensor) -> Tensor:
        return ((x - self.shift.to(x.dtype)) * self.scale.to(x.dtype)).to(self.dtype)


@dataclass(frozen=True)
class RealPart(Layer):
    """z ↦ Re z."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.real


class Pointwise(Layer):
    """v ↦ f(v), element by element."""

    @abstractmethod
    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        """f(v), f′(v), f″(v), … up to the given order (at most 2)."""

    def __call__(self, x: Tensor) -> Tensor:
        return self.derivatives(x, 0)[0]


@dataclass(frozen=True)
class Sine(Pointwise):
    """f(v) = sin(ω v), the activation of SIREN."""

    omega: float

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        phase = self.omega * v
        sine = torch.sin(phase)
        if order == 0:
            return (sine,)
        return (sine, self.omega * torch.cos(phase), -(self.omega**2) * sine)[: order + 1]


@dataclass(frozen=True)
class Relu(Pointwise):
    """f(v) = max(v, 0). Its second derivative is zero, so a ReLU network has no Laplacian."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        if order == 0:
            return (torch.relu(v),)
        return (torch.relu(v), (v > 0).to(v.dtype), torch.zeros_like(v))[: order + 1]


@dataclass(frozen=True)
class Tanh(Pointwise):
    """f(v) = tanh v."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        f = torch.tanh(v)
        if order == 0:
            return (f,)
        slope = 1 - f * f
        return (f, slope, -2 * f * slope)[: order + 1]


@dataclass(frozen=True)
class Softplus(Pointwise):
    """f(v) = log(1 + exp(v))."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        f = torch.nn.functional.softplus(v, threshold=50)
        if order == 0:
            return (f,)
        s = torch.sigmoid(v)
        return (f, s, s * (1 - s))[: order + 1]


@dataclass(frozen=True)
class Gaussian(Pointwise):
    """f(v) = exp(-(s v)²) (Ramasinghe and Lucey, "Beyond Periodicity", ECCV 2022)."""

    scale: float

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        s2 = self.scale**2
        f = torch.exp(-s2 * v * v)
        if order == 0:
            return (f,)
        return (f, -2 * s2 * v * f, (4 * s2 * v * v - 2) * s2 * f)[: order + 1]


@dataclass(frozen=True)
class VariableSine(Pointwise):
    """f(v) = sin(ω (|v| + 1) v), whose frequency grows with |v| (Liu et al., "FINER", CVPR 2024, equation 5).

    f″ jumps at v = 0, where it is taken as zero.
    """

    omega: float

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        phase = self.omega * (v.abs() + 1) * v
        sine = torch.sin(phase)
        if order == 0:
            return (sine,)
        cosine, slope = torch.cos(phase), self.omega * (2 * v.abs() + 1)
        return (sine, slope * cosine, 2 * self.omega * torch.sign(v) * cosine - slope**2 * sine)[: order + 1]


@dataclass(frozen=True)
class Gabor(Layer):
    """f(z) = exp(i ω z - |s z|²) for complex z (Saragadam et al., "WIRE", CVPR 2023, equation 3).

    Not holomorphic, so its jet has a rule of its own.
    """

    omega: float
    scale: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.exp(1j * self.omega * x - self.scale**2 * (x * x.conj()).real)


def octaves(dim: int, count: int) -> Affine:
    """The frequencies 2ᵏ π of a positional encoding, as the affine map that goes before a sine of ω = 1.

    x ↦ (2ᵏ π xⱼ, 2ᵏ π xⱼ + π/2) for j < dim and k < count, so that the sine of it holds sines and cosines
    (Mildenhall et al., "NeRF", ECCV 2020, equation 4).
    """
    frequencies = math.pi * 2.0 ** torch.arange(count)
    weight = torch.kron(frequencies[:, None], torch.eye(dim))
    phase = torch.cat([torch.zeros(len(weight)), torch.full((len(weight),), math.pi / 2)])
    return Affine(torch.cat([weight, weight]), phase)
