"""Points at which constraints are evaluated, with the data known there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Batch(NamedTuple):
    """Points and what is known there.

    Attributes:
        x: coordinates in the user's units (n, d); float64, so that a time stamp keeps its digits.
        target: what is measured there (n, …), such as the values of a signal on [-1, 1] (n, c).
        weight: how much each point counts (n, 1); None where all count the same.
        normal: of the boundary or the surface, unit length, outwards (n, d).
    """

    x: Float[Tensor, "n d"]
    target: Float[Tensor, n * c] | None = None
    weight: Float[Tensor, "n 1"] | None = None
    normal: Float[Tensor, "n d"] | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        target, weight, normal = (None if each is None else each.to(device) for each in self[1:])
        return Batch(self.x.to(device), target, weight, normal)


Sampler = Callable[[int], Batch]
"""A function of the step alone, so that work that was cut off goes on with the same batches."""
