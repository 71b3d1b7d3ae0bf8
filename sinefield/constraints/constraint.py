"""The data type of a constraint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sinefield.jets import Jet
from sinefield.sampling.batch import Batch, Sampler

Residual = Callable[[Jet, Batch], Tensor]
"""Residual C(a(x), Φ(x), ∇Φ(x), …) as a function of the jet of Φ and the data a at the points of a batch."""


@dataclass(frozen=True)
class Constraint:
    """A term of the loss: weight · mean of norm(C(a(x), Φ(x), ∇Φ(x), …)) over the points x of a batch.

    Attributes:
        name: Name of the term in reports.
        sampler: Function from the step to a batch of points. Constraints with the same sampler object are evaluated at
            the same points, with the same jets.
        residual: Residual C, a function of the jet and the batch, of shape (n, …); zero where the constraint holds. The
            values in the jet are those of the network, in [-1, 1] for a signal; its derivatives are with respect to
            coordinates in the user's units.
        order: Order of the highest derivative that C uses: 0, 1 or 2.
        weight: Weight of the term.
        norm: Elementwise norm, `torch.square` (L2) or `torch.abs` (L1).
        group: Number of consecutive points that C combines, such as 2 for differences of pairs. Batches are split only
            between groups.
        hessian: Whether C, of order 2, uses individual second derivatives and not only the Laplacian.
    """

    name: str
    sampler: Sampler
    residual: Residual
    order: int = 0
    weight: float = 1.0
    norm: Callable[[Tensor], Tensor] = torch.square
    group: int = 1
    hessian: bool = False

    def term(self, jet: Jet, batch: Batch) -> Tensor:
        """Return the term of the loss on a batch, given the jet at its points."""
        size = self.norm(self.residual(jet, batch))
        if batch.weight is not None:
            size = size * batch.weight.reshape(-1, *[1] * (size.ndim - 1))
        return self.weight * size.mean()
