"""Several networks over the same coordinates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.networks.layers import Layer
from sinefield.networks.network import Network


class Concat(Network):
    """x ↦ (Φ₁(x), Φ₂(x), …): the channels of several networks, such as a wave and the speed of its medium.

    >>> from sinefield.fields import Siren
    >>> Beside(Siren(2, 3, width=16), Siren(2, 1, width=8))(torch.zeros(5, 2)).shape
    torch.Size([5, 4])
    """

    def __init__(self, *networks: Network):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def layers(self) -> list[Layer]:
        raise InputError("networks beside one another are no chain of layers")

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([network(x) for network in self.networks], dim=-1)
