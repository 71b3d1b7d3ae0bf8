"""The loss Σₘ wₘ · mean over x ∈ Ωₘ of ‖Cₘ‖ and its gradient, in chunks of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from sinefield.constraints.constraint import Constraint, Residual
from sinefield.jets import propagate
from sinefield.networks import Network
from sinefield.parallel import WorkerPool, Workspace
from sinefield.sampling.batch import Batch

Chunk = tuple[list[Constraint], Batch, float]
"""Constraints with the same sampler, a part of its batch, and the share of the batch that the part is."""


def add_gradient(function: Network, constraints: Sequence[Constraint], step: int, pool: WorkerPool) -> dict[str, float]:
    """Add the gradient of the loss on the batches of a step to that of the parameters; return the terms by name."""
    parameters = [parameter for parameter in function.parameters() if parameter.requires_grad]

    def differentiate(chunk: Chunk, space: Workspace) -> tuple[list[tuple[str, float]], tuple[Tensor | None, ...]]:
        terms = _terms(function, chunk, space)
        gradients = torch.autograd.grad(torch.stack(terms).sum(), parameters, allow_unused=True)
        return [(each.name, term.item()) for each, term in zip(chunk[0], terms, strict=True)], gradients

    found = dict.fromkeys((constraint.name for constraint in constraints), 0.0)
    for terms, gradients in pool.map(differentiate, _chunks(constraints, step, pool)):
        for name, term in terms:
            found[name] += term
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return found


@torch.no_grad()
def total_loss(function: Network, constraints: Sequence[Constraint], step: int, pool: WorkerPool) -> float:
    """Return the loss on the batches of a step."""

    def evaluate(chunk: Chunk, space: Workspace) -> float:
        return float(torch.stack(_terms(function, chunk, space)).sum())

    return sum(pool.map(evaluate, _chunks(constraints, step, pool)))


@torch.no_grad()
def mean_square(
    function: Network, residual: Residual, batches: Iterable[Batch], pool: WorkerPool, order: int = 0
) -> float:
    """Return the mean squared residual over batches, for a residual that reads derivatives up to the given order."""

    def evaluate(batch: Batch, space: Workspace) -> tuple[float, int]:
        error = residual(propagate(function, batch.x, order, space=space), batch)
        return error.double().square().sum().item(), error.numel()

    sums = list(pool.map(evaluate, batches))
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def _terms(function: Network, chunk: Chunk, space: Workspace) -> list[Tensor]:
    """Return the contribution of a chunk to each term, from one jet."""
    constraints, batch, share = chunk
    batch = batch.to(next(function.parameters()).device)
    order = max(constraint.order for constraint in constraints)
    hessian = any(constraint.hessian for constraint in constraints)
    jet = propagate(function, batch.x, order, hessian=hessian, space=space)
    return [share * constraint.term(jet, batch) for constraint in constraints]


def _chunks(constraints: Sequence[Constraint], step: int, pool: WorkerPool) -> Iterator[Chunk]:
    """Split the batches of a step into chunks of bounded size that keep the groups of points of each constraint."""
    for shared in _by_sampler(constraints):
        batch, group = shared[0].sampler(step), math.lcm(*(constraint.group for constraint in shared))
        size = -(-pool.chunk_size(len(batch.x)) // group) * group
        for start in range(0, len(batch.x), size):
            x, *rest = (None if each is None else each[start : start + size] for each in batch)
            assert x is not None
            yield shared, Batch(x, *rest), len(x) / len(batch.x)


def _by_sampler(constraints: Sequence[Constraint]) -> list[list[Constraint]]:
    """Group the constraints that share a sampler, and so the jets at its points."""
    found: dict[int, list[Constraint]] = {}
    for constraint in constraints:
        found.setdefault(id(constraint.sampler), []).append(constraint)
    return list(found.values())
