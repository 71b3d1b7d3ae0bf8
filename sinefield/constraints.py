"""What a field has to satisfy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from sinefield.jets import Jet, propagate
from sinefield.samplers import Batch, Sampler


@dataclass(frozen=True)
class Constraint:
    """One term of the loss: w · mean over x ∈ Ω of |C(a(x), Φ(x), ∇Φ(x), …)|².

    Attributes:
        name: what the term is called in reports.
        sampler: where it is evaluated: step ↦ batch.
        residual: C, a plain function of the jet and the batch (n, …); zero where the constraint holds.
        order: the derivatives that C reads: 0, 1 or 2.
        weight: w.
    """

    name: str
    sampler: Sampler
    residual: Callable[[Jet, Batch], Tensor]
    order: int = 0
    weight: float = 1.0

    def loss(self, field: nn.Module, batch: Batch) -> Tensor:
        """The term on one batch."""
        square = self.residual(propagate(field, batch.x, self.order), batch).square()
        return self.weight * (square if batch.weight is None else square * batch.weight).mean()
