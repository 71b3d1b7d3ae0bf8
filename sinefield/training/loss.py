"""Σₘ wₘ · mean over x ∈ Ωₘ of ‖Cₘ‖ and its gradient, in pieces, so that memory does not grow with the points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from sinefield.constraints.constraint import Constraint, Residual
from sinefield.jets import Workspace, propagate
from sinefield.networks import Network
from sinefield.parallel import WorkerPool
from sinefield.sampling.batch import Batch

Piece = tuple[list[Constraint], Batch, float]
"""Constraints with one sampler, a part of its batch, and the share of the batch that it is."""


def add_gradient(function: Network, constraints: Sequence[Constraint], step: int, pool: WorkerPool) -> dict[str, float]:
    """Add the gradient of the loss on the batches of a step to that of the parameters; returns its terms by name."""
    parameters = [parameter for parameter in function.parameters() if parameter.requires_grad]

    def differentiate(piece: Piece, space: Workspace) -> tuple[list[tuple[str, float]], tuple[Tensor | None, ...]]:
        terms = _terms(function, piece, space)
        gradients = torch.autograd.grad(torch.stack(terms).sum(), parameters, allow_unused=True)
        return [(each.name, term.item()) for each, term in zip(piece[0], terms, strict=True)], gradients

    found = dict.fromkeys((constraint.name for constraint in constraints), 0.0)
    for terms, gradients in pool.map(differentiate, _pieces(constraints, step, pool)):
        for name, term in terms:
            found[name] += term
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return found


@torch.no_grad()
def total(function: Network, constraints: Sequence[Constraint], step: int, pool: WorkerPool) -> float:
    """The loss on the batches of a step."""

    def evaluate(piece: Piece, space: Workspace) -> float:
        return float(torch.stack(_terms(function, piece, space)).sum())

    return sum(pool.map(evaluate, _pieces(constraints, step, pool)))


@torch.no_grad()
def mean_square(
    function: Network, residual: Residual, batches: Iterable[Batch], pool: WorkerPool, order: int = 0
) -> float:
    """The mean squared residual over some batches, where it reads derivatives up to the given order."""

    def evaluate(batch: Batch, space: Workspace) -> tuple[float, int]:
        error = residual(propagate(function, batch.x, order, space=space), batch)
        return error.double().square().sum().item(), error.numel()

    sums = list(pool.map(evaluate, batches))
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def _terms(function: Network, piece: Piece, space: Workspace) -> list[Tensor]:
    """The share of each term that some points bring, from one jet."""
    constraints, batch, share = piece
    batch = batch.to(next(function.parameters()).device)
    order = max(constraint.order for constraint in constraints)
    hessian = any(constraint.hessian for constraint in constraints)
    jet = propagate(function, batch.x, order, hessian=hessian, space=space)
    return [share * constraint.term(jet, batch) for constraint in constraints]


def _pieces(constraints: Sequence[Constraint], step: int, pool: WorkerPool) -> Iterator[Piece]:
    """The batches of a step in bounded pieces, with the share of its batch that each is."""
    for together in _by_sampler(constraints):
        batch, group = together[0].sampler(step), math.lcm(*(constraint.group for constraint in together))
        size = -(-pool.chunk_size(len(batch.x)) // group) * group
        for start in range(0, len(batch.x), size):
            x, *rest = (None if each is None else each[start : start + size] for each in batch)
            assert x is not None
            yield together, Batch(x, *rest), len(x) / len(batch.x)


def _by_sampler(constraints: Sequence[Constraint]) -> list[list[Constraint]]:
    found: dict[int, list[Constraint]] = {}
    for constraint in constraints:
        found.setdefault(id(constraint.sampler), []).append(constraint)
    return list(found.values())
