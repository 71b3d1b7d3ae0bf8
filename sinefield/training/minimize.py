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
from sinefield.progress import ProgressCallback
from sinefield.training.checkpoint import TrainingState
from sinefield.training.loop import Evaluation, iterate
from sinefield.training.loss import add_gradient, total_loss
from sinefield.training.optimizers.choices import OPTIMIZERS, find_optimizer, repeat_batches
from sinefield.training.optimizers.natural import Natural
from sinefield.training.spec import Training


def minimize(
    function: Network,
    constraints: Sequence[Constraint],
    optimizer: Optimizer | str = "natural",
    *,
    steps: int | None = None,
    seconds: float | None = None,
    evaluate: Callable[[], float] | None = None,
    evaluate_every: int = 100,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    identity: dict[str, Any] | None = None,
    progress: ProgressCallback | None = None,
) -> TrainingState:
    """Minimize Σₘ wₘ · mean ‖Cₘ‖ over the parameters of a function, and leave the best parameters in it.

    Args:
        function: Network to train, on the device and in the precision of its parameters.
        constraints: Terms of the loss.
        optimizer: An optimizer of the parameters of the function, or its name: "natural", "soap", "adam" or "lbfgs".
        steps, seconds: When to stop, whichever comes first; by default a number of steps that suits the optimizer.
        evaluate: Error by which weights are compared, smaller is better; by default the loss on the batches of step 0.
        evaluate_every: Steps between two evaluations.
        checkpoint, resume, progress: As for `sinefield.fit`.
        identity: What a saved state must have been started with so that it can be continued.

    Returns:
        The final state, with the history of the errors; `stopped` says why the training ended: "steps", "seconds",
        "interrupted" or "diverged".

    Raises:
        InputError: An unknown optimizer, or what `sinefield.fit` raises.

    >>> import torch
    >>> import sinefield as sf
    >>> _ = torch.manual_seed(0)
    >>> domain = sf.domain.box((0.0,), (1.0,))
    >>> points = sf.sampling.uniform(domain, 64)
    >>> slope = sf.Constraint("slope", points, lambda jet, batch: jet.gradient[:, 0] - 2, order=1)
    >>> state = minimize(sf.OnDomain(sf.Siren(1, 1, width=16, depth=1), domain), [slope], steps=100)
    >>> state.best_error < 1e-3, state.stopped
    (True, 'steps')
    """
    name = optimizer if isinstance(optimizer, str) else "soap"
    choice = find_optimizer(OPTIMIZERS, name)
    if isinstance(optimizer, str):
        optimizer = choice.create(list(function.parameters()))
        constraints = repeat_batches(constraints, choice)
    parameter = next(function.parameters())
    training = Training(steps, seconds, None, 0, parameter.device, parameter.dtype, checkpoint, resume, progress)
    evaluation = None if evaluate is None else Evaluation(evaluate, evaluate_every)
    return train(
        function,
        constraints,
        optimizer,
        training.or_steps(choice.steps),
        evaluation,
        evaluate_every=evaluate_every,
        identity=identity,
    )


def train(
    function: Network,
    constraints: Sequence[Constraint],
    optimizer: Optimizer,
    training: Training,
    evaluation: Evaluation | None = None,
    *,
    evaluate_every: int = 100,
    identity: dict[str, Any] | None = None,
    pool: WorkerPool | None = None,
) -> TrainingState:
    """Do what `minimize` does, for tasks that hold their settings in a `Training`."""
    with WorkerPool(next(function.parameters()).device) if pool is None else nullcontext(pool) as workers:
        return iterate(
            function,
            optimizer,
            training,
            lambda step: take_step(function, constraints, optimizer, step, workers),
            evaluation or Evaluation(lambda: total_loss(function, constraints, 0, workers), evaluate_every),
            identity,
        )


def take_step(
    function: Network, constraints: Sequence[Constraint], optimizer: Optimizer, step: int, pool: WorkerPool
) -> dict[str, float]:
    """Take one step of an optimizer unless the loss is NaN; return the terms of the loss before the step, by name."""
    if isinstance(optimizer, Natural):
        with pool.all_threads():
            return optimizer.descend(function, constraints, step)
    if isinstance(optimizer, LBFGS):
        return _step_by_closure(function, constraints, optimizer, step, pool)
    optimizer.zero_grad()
    terms = add_gradient(function, constraints, step, pool)
    if math.isfinite(sum(terms.values())):
        optimizer.step()
    return terms


def _step_by_closure(
    function: Network, constraints: Sequence[Constraint], optimizer: LBFGS, step: int, pool: WorkerPool
) -> dict[str, float]:
    """Take the iterations of one L-BFGS step on the batches of that step."""
    first: dict[str, float] = {}

    def closure() -> float:
        optimizer.zero_grad()
        terms = add_gradient(function, constraints, step, pool)
        first.update({} if first else terms)
        return sum(terms.values())

    optimizer.step(closure)
    return first
