"""Minimization of a weighted sum of residuals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from torch.optim import LBFGS, Optimizer

from sinefield.constraints.constraint import Constraint
from sinefield.networks import Network
from sinefield.parallel import WorkerPool
from sinefield.training.checkpoint import State
from sinefield.training.loop import Progress, Stop, iterate
from sinefield.training.loss import add_gradient, total
from sinefield.training.optimizers.natural import Natural


def minimize(
    function: Network,
    constraints: Sequence[Constraint],
    optimizer: Optimizer,
    stop: Stop,
    *,
    evaluate: Callable[[], float] | None = None,
    evaluate_every: int = 100,
    constant: float | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    identity: dict[str, Any] | None = None,
    progress: Progress | None = None,
    pool: WorkerPool | None = None,
) -> tuple[State, str]:
    """Lower Σₘ wₘ · mean |Cₘ|² over the function's parameters, and leave the best ones in it.

    Args:
        function: what is fitted.
        constraints: the terms of the loss.
        optimiser: over the function's parameters.
        stop: when to end.
        judge: the error by which weights are compared, the smaller the better; the loss on the batches of the first
            step unless given.
        crew: who does the work; one of its own unless given.
        judge_every, constant, checkpoint, resume, identity, progress: as for `sinefield.loop.iterate`.

    Returns:
        The final state, and why it ended: "steps", "seconds", "psnr", "interrupted" or "diverged".
    """
    with WorkerPool(next(function.parameters()).device) if pool is None else nullcontext(pool) as workers:
        return iterate(
            function,
            optimizer,
            stop,
            lambda step: descend(function, constraints, optimizer, step, workers),
            evaluate or (lambda: total(function, constraints, 0, workers)),
            evaluate_every=evaluate_every,
            constant=constant,
            checkpoint=checkpoint,
            resume=resume,
            identity=identity,
            progress=progress,
        )


def descend(
    function: Network, constraints: Sequence[Constraint], optimizer: Optimizer, step: int, pool: WorkerPool
) -> dict[str, float]:
    """One step of an optimiser, unless the loss is NaN; returns its terms before the step, by name."""
    if isinstance(optimizer, Natural):
        with pool.all_threads():
            return optimizer.descend(function, constraints, step)
    if isinstance(optimizer, LBFGS):
        return _descend_by_closure(function, constraints, optimizer, step, pool)
    optimizer.zero_grad()
    terms = add_gradient(function, constraints, step, pool)
    if math.isfinite(sum(terms.values())):
        optimizer.step()
    return terms


def _descend_by_closure(
    function: Network, constraints: Sequence[Constraint], optimizer: LBFGS, step: int, pool: WorkerPool
) -> dict[str, float]:
    """As many iterations on the batches of one step as the optimiser takes; between steps these should not change."""
    first: dict[str, float] = {}

    def closure() -> float:
        optimizer.zero_grad()
        terms = add_gradient(function, constraints, step, pool)
        first.update({} if first else terms)
        return sum(terms.values())

    optimizer.step(closure)
    return first
