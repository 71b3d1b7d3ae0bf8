"""What a field has to satisfy: several constraints, each on its own domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sinefield.jets import Jet
from sinefield.sampling.batch import Batch, Sampler

Residual = Callable[[Jet, Batch], Tensor]
"""C(a(x), Φ(x), ∇Φ(x), …), zero where a constraint holds."""


@dataclass(frozen=True)
class Constraint:
    """One term of the loss: w · mean over x ∈ Ω of ‖C(a(x), Φ(x), ∇Φ(x), …)‖.

    Attributes:
        name: what the term is called in reports.
        sampler: where it is evaluated: step ↦ batch. Constraints with one and the same sampler share its points, and
            the jets there.
        residual: C, a plain function of the jet and the batch (n, …); zero where the constraint holds.
            Its jet is of the function that is fitted: values on [-1, 1] for a signal, coordinates in the user's units.
        order: the derivatives that C reads: 0, 1 or 2.
        weight: w.
        norm: `torch.square` (L2) or `torch.abs` (L1), element by element.
        group: how many points in a row C takes together, where it compares points or sums over them.
        hessian: whether C, of order 2, reads single second derivatives and not only the Laplacian.
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
        """w · mean ‖C‖ on one batch, from the jet at its points."""
        size = self.norm(self.residual(jet, batch))
        if batch.weight is not None:
            size = size * batch.weight.reshape(-1, *[1] * (size.ndim - 1))
        return self.weight * size.mean()
