"""The sinusoidal representation network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator

from sinefield.errors import InputError
from sinefield.networks.activations import register_activation
from sinefield.networks.init import default_uniform_, siren_uniform_
from sinefield.networks.layers import Sine
from sinefield.networks.network import Perceptron


def check_omega(*omegas: float) -> None:
    """Raise InputError unless each ω is a positive number that float32 can represent."""
    if not all(0 < omega < 1e30 for omega in omegas):
        raise InputError(f"omega must be positive; it is {' and '.join(map(str, omegas))}")


@register_activation("sine", learning_rate=1e-3, omega_from_signal=True)
@dataclass(eq=False, repr=False)
class Siren(Perceptron):
    """SIREN: xₗ₊₁ = sin(ωₗ (Wₗ xₗ + bₗ)) with a linear last layer (Sitzmann et al. 2020, equation 5).

    Weights are initialized as in section 3.2, biases as in the official code. Coordinates are expected in [-1, 1].

    Args:
        in_dim: Number of coordinates.
        out_dim: Number of channels.
        width: Units in a hidden layer.
        depth: Hidden layers after the first.
        omega_first: ω of the first layer; it sets the frequencies that the network can represent at initialization.
        omega_hidden: ω of the other layers.
        generator: Source of the initial weights; PyTorch's global generator by default.

    Raises:
        InputError: A size is not a positive integer, or an ω is not positive.

    >>> import torch
    >>> siren = Siren(2, 3, width=64)
    >>> siren(torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """

    omega_first: float = 30.0
    omega_hidden: float = 30.0

    def activation(self, index: int) -> Sine:
        return Sine(self.omega_first if index == 0 else self.omega_hidden)

    def initialize(self, generator: Generator | None) -> None:
        check_omega(self.omega_first, self.omega_hidden)
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            siren_uniform_(weight, self.omega_hidden, first=index == 0, generator=generator)
            default_uniform_(bias, weight.shape[1], generator=generator)
