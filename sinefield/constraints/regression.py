"""Constraints of regression: a field equals the values of a signal at its samples, Φ(x) = a(x)."""

from __future__ import annotations

from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.jets import Jet
from sinefield.sampling.batch import Batch, Sampler


def regression(sampler: Sampler) -> list[Constraint]:
    """Return the constraint Φ(x) = a(x), as a list of one."""
    return [Constraint("value", sampler, difference)]


def difference(jet: Jet, batch: Batch) -> Tensor:
    """Return the residual Φ(x) - a(x)."""
    assert batch.target is not None
    return jet.value - batch.target


def clipped_difference(jet: Jet, batch: Batch) -> Tensor:
    """Return the residual Φ(x) - a(x) with Φ clipped to [-1, 1], the range of a signal."""
    assert batch.target is not None
    return jet.value.clamp(-1, 1) - batch.target
