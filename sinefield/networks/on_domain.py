"""A network over coordinates in the user's own units."""

from __future__ import annotations

import torch
from torch import Tensor

from sinefield.domain import Domain
from sinefield.networks.hard_constraint import Condition, check
from sinefield.networks.layers import Layer, Rescale
from sinefield.networks.network import Network, Perceptron


class OnDomain(Network):
    """x ↦ network((x - centre) / half): derivatives are per unit of the user's coordinates.

    With a condition it is x ↦ g(x) + φ(x) · network((x - centre) / half).
    """

    centre: Tensor
    unit: Tensor

    def __init__(self, network: Perceptron, domain: Domain, condition: Condition | None = None):
        super().__init__()
        self.network, self.condition = network, condition
        if condition is not None:
            check(condition, domain, network.out_dim)
        self.register_buffer("centre", torch.tensor(domain.centre, dtype=torch.float64), persistent=False)
        self.register_buffer("unit", torch.tensor(domain.half, dtype=torch.float64), persistent=False)

    def layers(self) -> list[Layer]:
        return [Rescale(self.centre, 1 / self.unit, self.network.weights[0].dtype), *self.network.layers()]
