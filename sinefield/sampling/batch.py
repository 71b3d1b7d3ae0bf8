"""The data types of a batch of points and of a sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Batch(NamedTuple):
    """Points, with the data that are known at each.

    Attributes:
        x: Coordinates in the user's units, shape (n, d), in float64 so that large coordinates such as time stamps keep
            their precision.
        target: Measured data, shape (n, …), such as the values (n, c) of a signal scaled to [-1, 1].
        weight: Weight of each point in the loss, shape (n, 1); None if all weights are equal.
        normal: Outward unit normal of the boundary or the surface, shape (n, d).
    """

    x: Float[Tensor, "n d"]
    target: Float[Tensor, n * c] | None = None
    weight: Float[Tensor, "n 1"] | None = None
    normal: Float[Tensor, "n d"] | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        target, weight, normal = (None if each is None else each.to(device) for each in self[1:])
        return Batch(self.x.to(device), target, weight, normal)


Sampler = Callable[[int], Batch]
"""Function that returns the batch of a training step; it depends on nothing else, so that training can be resumed."""
