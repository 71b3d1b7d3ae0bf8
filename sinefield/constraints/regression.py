"""Φ(x) = a(x): a field that takes a signal's values at its samples."""

from __future__ import annotations

from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.jets import Jet
from sinefield.sampling.batch import Batch, Sampler


def regression(sampler: Sampler) -> list[Constraint]:
    """The one constraint C = Φ(x) - a(x)."""
    return [Constraint("value", sampler, difference)]


def difference(jet: Jet, batch: Batch) -> Tensor:
    """Φ(x) - a(x)."""
    assert batch.target is not None
    return jet.value - batch.target


def clipped_difference(jet: Jet, batch: Batch) -> Tensor:
    """Φ(x) - a(x), where Φ is limited to what a signal on [-1, 1] can hold."""
    assert batch.target is not None
    return jet.value.clamp(-1, 1) - batch.target
