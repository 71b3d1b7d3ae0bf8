"""Samplers that change with the training step."""

from __future__ import annotations

from sinefield.errors import InputError
from sinefield.sampling.batch import Batch, Sampler


def time_marching(sampler: Sampler, axis: int, start: float, steps: int, *, least: float = 0.1) -> Sampler:
    """Points of a window that grows along an axis from where it starts, to the whole after so many steps.

    Where causes come before effects, what is early is learnt before what follows from it.

    Source: Sitzmann et al. 2020, supplement; Wang, Sankaran and Perdikaris, "Respecting causality is all you need for
    training physics-informed neural networks", 2022.
    """

    if steps < 1:
        raise InputError(f"a window grows over one step or more; found {steps}")

    def batch(step: int) -> Batch:
        drawn = sampler(step)
        x = drawn.x.clone()
        x[:, axis] = start + (x[:, axis] - start) * min(max(step / steps, least), 1.0)
        return drawn._replace(x=x)

    return batch


def repeat_batch(sampler: Sampler, every: int) -> Sampler:
    """The same batch for so many steps, as an optimiser needs that remembers the last ones (L-BFGS)."""
    if every < 1:
        raise InputError(f"a batch is held for one step or more; found {every}")
    return lambda step: sampler(step // every)
