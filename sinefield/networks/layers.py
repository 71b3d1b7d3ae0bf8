"""Layers as values: what a network is made of, as `jets` sees it.

A layer is a function of its input (…, in) → (…, out). It holds tensors, not parameters, so that weights which another
network made are used in the same way. Whoever adds an activation writes its derivatives here, and nothing else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


class Layer(ABC):
    """A differentiable map of the last axis."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Affine(Layer):
    """x ↦ W x + b, with W (out, in) and b (out,), or with those of many networks at once: (m, out, in), (m, 1, out)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        if self.weight.ndim == 3:
            return torch.matmul(x, self.weight.transpose(1, 2)) + self.bias
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
        wide = torch.promote_types(x.dtype, self.dtype)
        return ((x.to(wide) - self.shift.to(wide)) * self.scale.to(wide)).to(self.dtype)


@dataclass(frozen=True)
class RealPart(Layer):
    """z ↦ Re z."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.real


class Pointwise(Layer):
    """v ↦ f(v), element by element."""

    @abstractmethod
    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        """f(v), f′(v), f″(v), … up to the given order, of any height."""

    def write(self, v: Tensor, out: Sequence[Tensor]) -> None:
        """f(v), f′(v), … into as many tensors as are given; `v` may be overwritten."""
        for place, derivative in zip(out, self.derivatives(v, len(out) - 1), strict=True):
            place.copy_(derivative)

    def __call__(self, x: Tensor) -> Tensor:
        return self.derivatives(x, 0)[0]


@dataclass(frozen=True)
class Sine(Pointwise):
    """f(v) = sin(ω v), the activation of SIREN; each derivative is ω times a quarter turn."""

    omega: float

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        phase = self.omega * v
        sine = torch.sin(phase)
        if order == 0:
            return (sine,)
        turns = (sine, torch.cos(phase))
        return (sine, *((-1) ** (k // 2) * self.omega**k * turns[k % 2] for k in range(1, order + 1)))

    def write(self, v: Tensor, out: Sequence[Tensor]) -> None:
        phase = v.mul_(self.omega)
        _sine(phase, out[0])
        if len(out) > 1:
            _cosine(phase, out[1])
            out[1].mul_(self.omega)
        for place, two_before in zip(out[2:], out, strict=False):
            torch.mul(two_before, -(self.omega**2), out=place)


@dataclass(frozen=True)
class Relu(Pointwise):
    """f(v) = max(v, 0). Its second derivative is zero, so a ReLU network has no Laplacian."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        if order == 0:
            return (torch.relu(v),)
        return (torch.relu(v), (v > 0).to(v.dtype), *[torch.zeros_like(v)] * (order - 1))


@dataclass(frozen=True)
class Tanh(Pointwise):
    """f(v) = tanh v, so f′ = 1 - f²."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        return _autonomous(torch.tanh(v), (1, 0, -1), order)


@dataclass(frozen=True)
class Softplus(Pointwise):
    """f(v) = log(1 + exp(v)), whose slope is the sigmoid s, with s′ = s - s²."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        f = torch.nn.functional.softplus(v, threshold=50)
        if order == 0:
            return (f,)
        return (f, *_autonomous(torch.sigmoid(v), (0, 1, -1), order - 1))


@dataclass(frozen=True)
class Gaussian(Pointwise):
    """f(v) = exp(-(s v)²) (Ramasinghe and Lucey, "Beyond Periodicity", ECCV 2022).

    From f′ = -2 s² v f, Hermite's recurrence: fₙ₊₁ = -2 s² (v fₙ + n fₙ₋₁).
    """

    scale: float

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        s2 = self.scale**2
        f = [torch.exp(-s2 * v * v)]
        for n in range(order):
            f.append(-2 * s2 * (v * f[n] + n * f[n - 1] if n else v * f[0]))
        return tuple(f)


@dataclass(frozen=True)
class Square(Pointwise):
    """f(v) = v²."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        return (v * v, 2 * v, torch.full_like(v, 2.0), *[torch.zeros_like(v)] * (order - 2))[: order + 1]


@dataclass(frozen=True)
class Exponential(Pointwise):
    """f(v) = exp(v), which is each of its derivatives."""

    def derivatives(self, v: Tensor, order: int) -> tuple[Tensor, ...]:
        return (torch.exp(v),) * (order + 1)


@dataclass(frozen=True)
class VariableSine(Pointwise):
    """f(v) = sin(ω (|v| + 1) v), whose frequency grows with |v| (Liu et al., "FINER", CVPR 2024, equation 5).

    With φ the phase, φ‴ = 0, so that Leibniz's rule for sin′ φ = φ′ cos φ and cos′ φ = -φ′ sin φ has two terms.
    f″ jumps at v = 0, where φ″ is taken as zero.
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
            """The derivative of order n of φ′ u, for u with the derivatives u[0], …, u[n]."""
            return slope * u[n] + n * bend * u[n - 1] if n else slope * u[0]

        for n in range(order):
            if n:
                cosine.append(-times_slope(sine, n - 1))
            sine.append(times_slope(cosine, n))
        return tuple(sine)


@dataclass(frozen=True)
class Gabor(Layer):
    """f(z) = exp(i ω z - |s z|²) for complex z (Saragadam et al., "WIRE", CVPR 2023, equation 3).

    Not holomorphic, so its jet has a rule of its own.
    """

    omega: float
    scale: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.exp(1j * self.omega * x - self.scale**2 * (x * x.conj()).real)


def through(layers: Iterable[Layer], x: Tensor) -> Tensor:
    """x through one layer after another."""
    for layer in layers:
        x = layer(x)
    return x


def octaves(dim: int, count: int) -> Affine:
    """The frequencies 2ᵏ π of a positional encoding, as the affine map that goes before a sine of ω = 1.

    x ↦ (2ᵏ π xⱼ, 2ᵏ π xⱼ + π/2) for j < dim and k < count, so that the sine of it holds sines and cosines
    (Mildenhall et al., "NeRF", ECCV 2020, equation 4).
    """
    frequencies = math.pi * 2.0 ** torch.arange(count)
    weight = torch.kron(frequencies[:, None], torch.eye(dim))
    phase = torch.cat([torch.zeros(len(weight)), torch.full((len(weight),), math.pi / 2)])
    return Affine(torch.cat([weight, weight]), phase)


def steps_aside(dim: int) -> Affine:
    """x ↦ (x + 1, x - 1), whose squares every quadratic function without mixed terms is an affine map of.

    (x + 1)² - (x - 1)² = 4x and (x + 1)² + (x - 1)² = 2x² + 2.
    """
    return Affine(torch.eye(dim).repeat(2, 1), torch.tensor([1.0, -1.0]).repeat_interleave(dim))


def _sine(phase: Tensor, out: Tensor) -> None:
    """sin into `out`; on a CPU by numpy, in half of torch's time (to one unit in the last place, both)."""
    if phase.is_cpu:
        np.sin(phase.numpy(), out=out.numpy())
    else:
        torch.sin(phase, out=out)


def _cosine(phase: Tensor, out: Tensor) -> None:
    if phase.is_cpu:
        np.cos(phase.numpy(), out=out.numpy())
    else:
        torch.cos(phase, out=out)


def _autonomous(f: Tensor, q: Sequence[int], order: int) -> tuple[Tensor, ...]:
    """f and its derivatives, where f′ = q(f) for a polynomial q, given by its coefficients from the constant on.

    Each is a polynomial in f: fₖ = pₖ(f) with p₀(f) = f and pₖ₊₁ = pₖ′ q.
    """
    if order == 0:
        return (f,)
    slope, p = _polynomial(q, f), list(q)
    derivatives = [f, slope]
    for _ in range(order - 1):
        steepness = [k * c for k, c in enumerate(p)][1:]
        # q(f) is a factor of its own, so that little is lost where it comes close to zero
        derivatives.append(slope * _polynomial(steepness, f))
        p = [0] * (len(steepness) + len(q) - 1)
        for i, a in enumerate(steepness):
            for j, b in enumerate(q):
                p[i + j] += a * b
    return tuple(derivatives)


def _polynomial(coefficients: Sequence[int], f: Tensor) -> Tensor:
    """Horner's scheme, for coefficients from the constant on; the last is not zero and there are two at least."""
    *others, last = coefficients
    value = last * f
    for c in reversed(others[1:]):
        value = (value + c if c else value) * f
    return value + others[0] if others[0] else value
