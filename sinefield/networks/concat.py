"""Several networks over the same coordinates, as one network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.networks.layers import Layer
from sinefield.networks.network import Network


class Concat(Network):
    """Concatenate the channels of several networks, x ↦ (Φ₁(x), Φ₂(x), …), such as a wave field and the wave speed.

    Args:
        networks: Networks over the same coordinates.

    >>> from sinefield.networks import Siren
    >>> Concat(Siren(2, 3, width=16), Siren(2, 1, width=8))(torch.zeros(5, 2)).shape
    torch.Size([5, 4])
    """

    def __init__(self, *networks: Network):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def layers(self) -> list[Layer]:
        """Raise an InputError: concatenated networks are not a sequence of layers."""
        raise InputError("a Concat is not a sequence of layers; use those of its networks")

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of all networks at x (…, d), concatenated to (…, c)."""
        return torch.cat([network(x) for network in self.networks], dim=-1)
