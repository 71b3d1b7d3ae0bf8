"""The sinusoidal representation network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator

from sinefield.errors import InputError
from sinefield.networks.init import default_uniform_, siren_uniform_
from sinefield.networks.layers import Sine
from sinefield.networks.network import Perceptron


def check_omega(*omegas: float) -> None:
    """Raise InputError unless all are positive numbers that float32 can hold."""
    if not all(0 < omega < 1e30 for omega in omegas):
        raise InputError(f"omega must be positive; it is {' and '.join(map(str, omegas))}")


@dataclass(eq=False, repr=False)
class Siren(Perceptron):
    """SIREN: xₗ₊₁ = sin(ωₗ (Wₗ xₗ + bₗ)) and a linear last layer (Sitzmann et al. 2020, equation 5).

    The initialisation is that of section 3.2 with the biases of the official code, so the coordinates are
    expected in [-1, 1].

    Args:
        in_dim, out_dim, width, depth, generator: as for `Perceptron`.
        omega_first: ω of the first layer, which sets the frequencies that the network begins with.
        omega_hidden: ω of the others.

    Raises:
        InputError: a size that is no positive whole number, an ω that is not positive.

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
