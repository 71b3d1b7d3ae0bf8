"""Initialization of sine networks, in the style of `torch.nn.init` (Sitzmann et al. 2020, section 3.2)."""

from __future__ import annotations

import math

from torch import Generator, Tensor, nn


def siren_uniform_(
    weight: Tensor, omega: float = 30.0, *, first: bool = False, generator: Generator | None = None
) -> Tensor:
    """Fill the weight of a sine network with values from a uniform distribution.

    The activations of sin(ω (W x + b)) are then arcsine-distributed at every depth. With n the fan-in, the values are
    drawn from U(-√(6/n)/ω, √(6/n)/ω) for hidden layers and for the linear last layer, and from U(-1/n, 1/n) for the
    first layer, so that ω sets the range of frequencies of the network.

    Args:
        weight: Weight of shape (out, in), changed in place.
        omega: Frequency factor ω of the sine that follows the layer (default: 30).
        first: Whether this is the first layer, whose input is the coordinates.
        generator: Random number generator (default: the global generator of PyTorch).

    Returns:
        The same tensor.

    Raises:
        ValueError: If `omega` is not positive or the weight has fewer than two dimensions.

    Source: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020, section 3.2.

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
    """Fill a weight or bias with values from U(-1/√n, 1/√n), n the fan-in, as PyTorch does for linear layers.

    The biases of the official SIREN code are initialized in this way.

    Args:
        tensor: Weight or bias, changed in place.
        fan_in: Number of inputs of the layer.
        generator: Random number generator (default: the global generator of PyTorch).

    Returns:
        The same tensor.
    """
    bound = 1 / math.sqrt(fan_in)
    return nn.init.uniform_(tensor, -bound, bound, generator=generator)


def preactivation_std(fan_in: int, omega: float = 30.0, *, bias: bool = True) -> float:
    """Return the standard deviation of ω W x, the preactivation without its bias, in the hidden layers of a deep SIREN.

    Its square s is the fixed point of s = 1 - exp(-2 (s + ω²/(3n))) with n the fan-in. The sine of a normal variable of
    variance v has the variance (1 - exp(-2v))/2; the product with ω W multiplies it by n · ω² · 6/(n ω²) / 3 = 2; and
    the bias, from U(-1/√n, 1/√n), adds ω²/(3n) to v. Without a bias this term is absent.

    Args:
        fan_in: Number of units in a hidden layer.
        omega: Frequency factor ω of the hidden layers (default: 30).
        bias: Whether the layers have biases.

    >>> round(preactivation_std(256), 2), round(preactivation_std(256, bias=False), 2)
    (0.99, 0.89)
    """
    bias_variance = omega**2 / (3 * fan_in) if bias else 0.0
    variance = 1.0
    for _ in range(100):
        variance = 1 - math.exp(-2 * (variance + bias_variance))
    return math.sqrt(variance)
