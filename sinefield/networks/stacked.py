"""Networks of one architecture with stacked weights, evaluated together by batched matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from sinefield.networks.layers import Affine, Layer, through
from sinefield.networks.network import Perceptron


class StackedNetworks(nn.Module):
    """m networks of one architecture whose weights are stacked to tensors (m, out, in).

    Args:
        networks: Networks whose weights are copied.
    """

    def __init__(self, networks: Sequence[Perceptron]):
        super().__init__()
        self.kind, self.config, self.width = type(networks[0]), networks[0].config(), networks[0].width
        self.chained = networks[0].chained
        weights = zip(*(network.weights for network in networks), strict=True)
        self.weights = nn.ParameterList(torch.stack(each).detach().clone() for each in weights)
        biases = zip(*(network.biases for network in networks), strict=True)
        self.biases = nn.ParameterList(torch.stack(each).detach()[:, None].clone() for each in biases)

    def layers(self) -> list[Layer]:
        """Return the layers with the stacked weights."""
        return self.chained([Affine(w, b) for w, b in zip(self.weights, self.biases, strict=True)])

    def forward(self, x: Tensor) -> Tensor:
        """Return the values (m, n, c) at points x: (n, d) for all networks, or (m, n, d) with points for each."""
        return through(self.layers(), x)

    def network(self, index: int) -> Perceptron:
        """Return one of the networks as a network of its own, with a copy of its weights."""
        network = self.kind(**self.config, generator=Generator()).to(self.weights[0])
        with torch.no_grad():
            for weight, stacked in zip(network.weights, self.weights, strict=True):
                weight.copy_(stacked[index])
            for bias, stacked in zip(network.biases, self.biases, strict=True):
                bias.copy_(stacked[index, 0])
        return network
