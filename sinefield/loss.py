"""Σₘ wₘ · mean over x ∈ Ωₘ of ‖Cₘ‖ and its gradient, in pieces, so that memory does not grow with the points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from sinefield.constraints import Constraint, Residual
from sinefield.crew import Crew
from sinefield.fields import Network
from sinefield.jets import Workspace, propagate
from sinefield.samplers import Batch


def add_gradient(function: Network, constraints: Sequence[Constraint], step: int, crew: Crew) -> dict[str, float]:
    """Add the gradient of the loss on the batches of a step to that of the parameters; returns its terms by name."""
    parameters = [parameter for parameter in function.parameters() if parameter.requires_grad]
    terms = dict.fromkeys((constraint.name for constraint in constraints), 0.0)

    def differentiate(
        piece: tuple[Constraint, Batch, float], space: Workspace
    ) -> tuple[str, float, tuple[Tensor | None, ...]]:
        constraint, batch, share = piece
        loss = share * constraint.loss(function, batch, space)
        return constraint.name, loss.item(), torch.autograd.grad(loss, parameters, allow_unused=True)

    for name, loss, gradients in crew.map(differentiate, _pieces(constraints, step, crew)):
        terms[name] += loss
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return terms


@torch.no_grad()
def total(function: Network, constraints: Sequence[Constraint], step: int, crew: Crew) -> float:
    """The loss on the batches of a step."""

    def judge(piece: tuple[Constraint, Batch, float], space: Workspace) -> float:
        constraint, batch, share = piece
        return share * constraint.loss(function, batch, space).item()

    return sum(crew.map(judge, _pieces(constraints, step, crew)))


@torch.no_grad()
def mean_square(function: Network, residual: Residual, batches: Iterable[Batch], crew: Crew, order: int = 0) -> float:
    """The mean squared residual over some batches, where it reads derivatives up to the given order."""

    def judge(batch: Batch, space: Workspace) -> tuple[float, int]:
        error = residual(propagate(function, batch.x, order, space=space), batch)
        return error.double().square().sum().item(), error.numel()

    sums = list(crew.map(judge, batches))
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def _pieces(constraints: Sequence[Constraint], step: int, crew: Crew) -> Iterator[tuple[Constraint, Batch, float]]:
    """The batches of a step in bounded pieces, with the share of its batch that each is."""
    for constraint in constraints:
        batch = constraint.sampler(step)
        size = -(-crew.piece(len(batch.x)) // constraint.group) * constraint.group
        for start in range(0, len(batch.x), size):
            x, *rest = (None if each is None else each[start : start + size] for each in batch)
            assert x is not None
            yield constraint, Batch(x, *rest), len(x) / len(batch.x)
