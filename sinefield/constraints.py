"""What a field has to satisfy: several constraints, each on its own domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sinefield.jets import Jet, Workspace, propagate
from sinefield.samplers import Batch, Sampler

Residual = Callable[[Jet, Batch], Tensor]
"""C(a(x), Φ(x), ∇Φ(x), …), zero where a constraint holds."""


@dataclass(frozen=True)
class Constraint:
    """One term of the loss: w · mean over x ∈ Ω of ‖C(a(x), Φ(x), ∇Φ(x), …)‖.

    Attributes:
        name: what the term is called in reports.
        sampler: where it is evaluated: step ↦ batch.
        residual: C, a plain function of the jet and the batch (n, …); zero where the constraint holds.
            Its jet is of the function that is fitted: values on [-1, 1] for a signal, coordinates in the user's units.
        order: the derivatives that C reads: 0, 1 or 2.
        weight: w.
        norm: `torch.square` (L2) or `torch.abs` (L1), element by element.
        group: how many points in a row C takes together, where it compares points or sums over them.
    """

    name: str
    sampler: Sampler
    residual: Residual
    order: int = 0
    weight: float = 1.0
    norm: Callable[[Tensor], Tensor] = torch.square
    group: int = 1

    def loss(self, field: nn.Module, batch: Batch, space: Workspace | None = None) -> Tensor:
        """The term on one batch; `space` is as for `propagate`."""
        size = self.norm(self.residual(propagate(field, batch.x, self.order, space=space), batch))
        if batch.weight is not None:
            size = size * batch.weight.reshape(-1, *[1] * (size.ndim - 1))
        return self.weight * size.mean()
