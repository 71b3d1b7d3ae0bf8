"""A network over a domain, as a function of coordinates in the user's units."""

from __future__ import annotations

import torch
from torch import Tensor

from sinefield.domain import Domain
from sinefield.networks.hard_constraint import HardConstraint, check
from sinefield.networks.layers import Layer, Rescale
from sinefield.networks.network import Network, Perceptron


class OnDomain(Network):
    """The network u(x) = Φ((x - center) / half_extent), whose derivatives are per unit of the user's coordinates.

    With a hard constraint of lift g and factor φ, u(x) = g(x) + φ(x) Φ((x - center) / half_extent).

    Args:
        network: Network Φ over normalized coordinates.
        domain: Domain with the center and the half extents.
        hard_constraint: Hard constraint in the user's coordinates (default: none).

    Raises:
        InputError: If the hard constraint does not match the numbers of coordinates and channels.
    """

    center: Tensor
    unit: Tensor

    def __init__(self, network: Perceptron, domain: Domain, hard_constraint: HardConstraint | None = None):
        super().__init__()
        self.network, self.hard_constraint = network, hard_constraint
        if hard_constraint is not None:
            check(hard_constraint, domain, network.out_dim)
        self.register_buffer("center", torch.tensor(domain.center, dtype=torch.float64), persistent=False)
        self.register_buffer("unit", torch.tensor(domain.half_extent, dtype=torch.float64), persistent=False)

    def layers(self) -> list[Layer]:
        """Return the normalization of the coordinates, followed by the layers of the network."""
        return [Rescale(self.center, 1 / self.unit, self.network.weights[0].dtype), *self.network.layers()]
