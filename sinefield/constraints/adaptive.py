"""Points where a constraint is not yet satisfied."""

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
    """The points of a constraint's own sampler, of which a share is drawn where its residual is large.

    Every few steps the residual C is looked at anew, at candidates of as many batches as there are steps between two
    looks, and a candidate is drawn with a probability of |C| / mean |C| + 1. Of all samplers this one depends on the
    function, as it is when it looks, so that a resumed fit goes on with other points.

    Args:
        function: the one that is fitted.
        constraint: its sampler gives the candidates, and the other points; they are points alone.
        size: points in a batch, of no more than in one of that sampler.
        share: of the drawn points in a batch.
        every: steps between two looks.

    Source: Wu et al., "A comprehensive study of non-adaptive and residual-based adaptive sampling for physics-informed
    neural networks" (RAD with k = c = 1), 2023.
    """
    if not 0 <= share <= 1 or size < 1 or every < 1:
        raise InputError("refinement needs a share from 0 to 1, and one point and one step or more")
    candidates, weight, looked = torch.empty(0), np.empty(0), -1

    def batch(step: int) -> Batch:
        nonlocal candidates, weight, looked
        if step // every != looked:
            looked = step // every
            drawn = [constraint.sampler(looked * every + k) for k in range(every)]
            candidates = torch.cat([each.x for each in drawn])
            sizes = torch.cat([_size(function, constraint, each) for each in drawn])
            sizes = sizes.nan_to_num(posinf=0.0)  # where a fit has gone astray, which is the loop's business
            weight = (sizes / sizes.mean().clamp_min(1e-300) + 1).cpu().numpy()
        random, count = np.random.default_rng((seed, step, 11)), int(share * size)
        chosen = random.choice(len(candidates), count, replace=False, p=weight / weight.sum())
        return Batch(torch.cat([candidates[chosen], constraint.sampler(step).x[: size - count]]))

    return batch


@torch.no_grad()
def _size(function: Network, constraint: Constraint, batch: Batch) -> Tensor:
    """|C| at each point (n,), in float64."""
    batch = batch.to(next(function.parameters()).device)
    jet = propagate(function, batch.x, constraint.order, hessian=constraint.hessian)
    size: Tensor = torch.linalg.vector_norm(constraint.residual(jet, batch).flatten(1).double(), dim=1)
    return size
