"""Initialisation of sine networks, in the style of `torch.nn.init` (Sitzmann et al. 2020, section 3.2)."""

from __future__ import annotations

import math

from torch import Generator, Tensor, nn


def siren_uniform_(
    weight: Tensor, omega: float = 30.0, *, first: bool = False, generator: Generator | None = None
) -> Tensor:
    """Fill a weight (out, in) so that the activations of sin(ω (W x + b)) are arcsine-distributed at every depth.

    W ~ U(-√(6/n)/ω, √(6/n)/ω) with fan-in n; for the first layer W ~ U(-1/n, 1/n), which spans the
    network's frequencies. The last, linear layer takes the former as well.

    Args:
        weight: changed in place.
        omega: the ω of the sine that the layer feeds.
        first: whether the layer's input are the coordinates.
        generator: where the random numbers come from; the global one of torch unless given.

    Raises:
        ValueError: ω is not positive, or the weight has fewer than two axes.

    >>> import torch
    >>> weight = siren_uniform_(torch.empty(256, 256), omega=30.0)
    >>> bool(weight.abs().max() <= (6 / 256) ** 0.5 / 30)
    True
    """
    if not omega > 0:
        raise ValueError(f"omega must be positive; it is {omega}")
    fan_in, _ = nn.init._calculate_fan_in_and_fan_out(weight)
    bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
    return nn.init.uniform_(weight, -bound, bound, generator=generator)


def default_uniform_(tensor: Tensor, fan_in: int, *, generator: Generator | None = None) -> Tensor:
    """Fill with U(-1/√n, 1/√n), n = fan-in: PyTorch's default for linear layers, and the official code's biases."""
    bound = 1 / math.sqrt(fan_in)
    return nn.init.uniform_(tensor, -bound, bound, generator=generator)


def preactivation_std(fan_in: int, omega: float = 30.0, *, bias: bool = True) -> float:
    """The standard deviation of the weights' part ω·W·x in every hidden layer of a deep sine network.

    Its square s is the fixed point of s = 1 - exp(-2 (s + ω²/(3n))): the variance of sin of a normal variable of
    variance v is (1 - exp(-2v))/2, W multiplies it by n · 6/(n ω²) · ω²/3 = 2, and the bias U(-1/√n, 1/√n) adds
    ω²/(3n) to v. Without a bias the second term is missing.

    >>> round(preactivation_std(256), 2), round(preactivation_std(256, bias=False), 2)
    (0.99, 0.89)
    """
    added = omega**2 / (3 * fan_in) if bias else 0.0
    variance = 1.0
    for _ in range(100):
        variance = 1 - math.exp(-2 * (variance + added))
    return math.sqrt(variance)
