"""Samplers that change another sampler in the course of training."""

from __future__ import annotations

from sinefield.errors import InputError
from sinefield.sampling.batch import Batch, Sampler


def time_marching(sampler: Sampler, axis: int, start: float, steps: int, *, least: float = 0.1) -> Sampler:
    """Restrict the points to a window along an axis, which grows linearly to the full range.

    In problems of evolution the early times, which determine the later ones, are then learned first.

    Args:
        sampler: Sampler of points in the full range.
        axis: Axis of the window, such as that of time.
        start: Coordinate where the window starts, such as the initial time.
        steps: Number of training steps after which the window is the full range.
        least: Smallest length of the window, as a fraction of the full range (default: 0.1).

    Raises:
        InputError: If `steps` is less than 1.

    Source: Sitzmann et al. 2020, supplement; Wang, Sankaran and Perdikaris, "Respecting causality is all you need for
    training physics-informed neural networks", 2022.
    """
    if steps < 1:
        raise InputError(f"steps must be 1 or more; it is {steps}")

    def batch(step: int) -> Batch:
        drawn = sampler(step)
        x = drawn.x.clone()
        x[:, axis] = start + (x[:, axis] - start) * min(max(step / steps, least), 1.0)
        return drawn._replace(x=x)

    return batch


def repeat_batch(sampler: Sampler, every: int) -> Sampler:
    """Repeat each batch of a sampler, as required by optimizers that use a history of steps, such as L-BFGS.

    Args:
        sampler: Sampler of the batches.
        every: Number of steps with the same batch.

    Raises:
        InputError: If `every` is less than 1.
    """
    if every < 1:
        raise InputError(f"every must be 1 or more; it is {every}")
    return lambda step: sampler(step // every)
