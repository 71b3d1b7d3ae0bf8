"""A network over coordinates in the user's own units."""

from __future__ import annotations

import torch
from torch import Tensor

from sinefield.domain import Domain
from sinefield.networks.hard_constraint import HardConstraint, check
from sinefield.networks.layers import Layer, Rescale
from sinefield.networks.network import Network, Perceptron


class OnDomain(Network):
    """x ↦ network((x - centre) / half): derivatives are per unit of the user's coordinates.

    With a condition it is x ↦ g(x) + φ(x) · network((x - centre) / half).
    """

    center: Tensor
    unit: Tensor

    def __init__(self, network: Perceptron, domain: Domain, hard_constraint: HardConstraint | None = None):
        super().__init__()
        self.network, self.hard_constraint = network, hard_constraint
        if hard_constraint is not None:
            check(hard_constraint, domain, network.out_dim)
        self.register_buffer("centre", torch.tensor(domain.center, dtype=torch.float64), persistent=False)
        self.register_buffer("unit", torch.tensor(domain.half_extent, dtype=torch.float64), persistent=False)

    def layers(self) -> list[Layer]:
        return [Rescale(self.center, 1 / self.unit, self.network.weights[0].dtype), *self.network.layers()]
