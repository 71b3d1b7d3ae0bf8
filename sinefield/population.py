"""Many small networks as one: their weights are stacked, and one product serves all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from sinefield.fields import Perceptron
from sinefield.fields.layers import Affine, Layer, through

INNER, INNER_RATE = 16, 2e-3
"""Steps of Adam from a start to a signal, and their rate."""


class Population(nn.Module):
    """Networks of one architecture, m of them.

    Args:
        networks: whose weights they begin with.
    """

    def __init__(self, networks: Sequence[Perceptron]):
        super().__init__()
        self.kind, self.config = type(networks[0]), networks[0].config()
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


def fitted(start: Perceptron, x: Tensor, values: Tensor) -> Population:
    """Networks that were fitted from one start to places (b, n, 2) and values (b, n, c) in a few steps of Adam."""
    many = Population([start] * len(x)).to(x.device)
    adam = torch.optim.Adam(many.parameters(), lr=INNER_RATE)
    for _ in range(INNER):
        with torch.enable_grad():
            # a sum over the pictures, each of which goes its own way
            error = (many(x) - values).square().mean(dim=(1, 2)).sum()
        adam.zero_grad()
        error.backward()
        adam.step()
    return many
