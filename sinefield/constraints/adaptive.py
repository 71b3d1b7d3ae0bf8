"""Adaptive sampling by the residual of a constraint."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.errors import InputError
from sinefield.jets import propagate
from sinefield.networks import Network
from sinefield.sampling.batch import Batch, Sampler


def residual_adaptive(
    function: Network, constraint: Constraint, size: int, *, share: float = 0.5, every: int = 10, seed: int = 0
) -> Sampler:
    """Sample a share of the points with a probability that grows with the residual of a constraint.

    Every few steps the residual C is evaluated at candidates, the points of the next `every` batches of the sampler of
    the constraint. At each step, candidates are drawn with a probability proportional to |C| / mean |C| + 1. Unlike
    those of other samplers, the points depend on the network as well as on the step: resumed training uses other ones.

    Args:
        function: Network that is trained.
        constraint: Constraint whose sampler gives the candidates and the remaining points. Only their coordinates are
            used, not their targets, weights or normals.
        size: Number of points in a batch, at most that of the constraint's sampler.
        share: Fraction of the points that are drawn by their residual (default: 0.5).
        every: Number of steps between two evaluations of the residual (default: 10).
        seed: Seed of the random numbers.

    Raises:
        InputError: If `share` is not in [0, 1], or `size` or `every` is less than 1.

    Source: Wu et al., "A comprehensive study of non-adaptive and residual-based adaptive sampling for physics-informed
    neural networks", 2023 (RAD with k = c = 1).
    """
    if not 0 <= share <= 1:
        raise InputError(f"share must be a fraction from 0 to 1; it is {share}")
    if size < 1 or every < 1:
        raise InputError(f"size and every must be 1 or more; they are {size} and {every}")
    candidates, weight, last_period = torch.empty(0), np.empty(0), -1

    def batch(step: int) -> Batch:
        nonlocal candidates, weight, last_period
        if step // every != last_period:
            last_period = step // every
            batches = [constraint.sampler(last_period * every + k) for k in range(every)]
            candidates = torch.cat([each.x for each in batches])
            residual = torch.cat([_residual_norm(function, constraint, each) for each in batches])
            residual = residual.nan_to_num(posinf=0.0)  # after divergence, which the training loop handles
            weight = (residual / residual.mean().clamp_min(1e-300) + 1).cpu().numpy()
        random, count = np.random.default_rng((seed, step, 11)), int(share * size)
        chosen = random.choice(len(candidates), count, replace=False, p=weight / weight.sum())
        return Batch(torch.cat([candidates[chosen], constraint.sampler(step).x[: size - count]]))

    return batch


@torch.no_grad()
def _residual_norm(function: Network, constraint: Constraint, batch: Batch) -> Tensor:
    """Return |C| at each point (n,), in float64."""
    batch = batch.to(next(function.parameters()).device)
    jet = propagate(function, batch.x, constraint.order, hessian=constraint.hessian)
    residual = constraint.residual(jet, batch).double()
    norm: Tensor = torch.linalg.vector_norm(residual.reshape(len(residual), -1), dim=1)
    return norm
