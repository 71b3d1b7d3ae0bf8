"""Networks of one architecture as one: their weights are stacked, and one product serves all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from sinefield.networks.layers import Affine, Layer, through
from sinefield.networks.network import Perceptron


class StackedNetworks(nn.Module):
    """Networks of one architecture, m of them.

    Args:
        networks: whose weights they begin with.
    """

    def __init__(self, networks: Sequence[Perceptron]):
        super().__init__()
        self.kind, self.config, self.width = type(networks[0]), networks[0].config(), networks[0].width
        self.chained = networks[0].chained
        stacked = zip(*(network.weights for network in networks), strict=True)
        self.weights = nn.ParameterList(torch.stack(each).detach().clone() for each in stacked)
        stacked = zip(*(network.biases for network in networks), strict=True)
        self.biases = nn.ParameterList(torch.stack(each).detach()[:, None].clone() for each in stacked)

    def layers(self) -> list[Layer]:
        return self.chained([Affine(w, b) for w, b in zip(self.weights, self.biases, strict=True)])

    def forward(self, x: Tensor) -> Tensor:
        """Values (m, n, c) at places (n, d), the same for all, or (m, n, d)."""
        return through(self.layers(), x)

    def network(self, index: int) -> Perceptron:
        """One of them, by itself."""
        alone = self.kind(**self.config, generator=Generator()).to(self.weights[0])
        with torch.no_grad():
            for own, stacked in zip(alone.weights, self.weights, strict=True):
                own.copy_(stacked[index])
            for own, stacked in zip(alone.biases, self.biases, strict=True):
                own.copy_(stacked[index, 0])
        return alone
