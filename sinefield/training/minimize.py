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
from sinefield.parallel import Crew
from sinefield.training.checkpoint import State
from sinefield.training.loop import Progress, Stop, iterate
from sinefield.training.loss import add_gradient, total
from sinefield.training.optimizers.natural import Natural


def minimise(
    function: Network,
    constraints: Sequence[Constraint],
    optimiser: Optimizer,
    stop: Stop,
    *,
    judge: Callable[[], float] | None = None,
    judge_every: int = 100,
    constant: float | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    identity: dict[str, Any] | None = None,
    progress: Progress | None = None,
    crew: Crew | None = None,
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
    with Crew(next(function.parameters()).device) if crew is None else nullcontext(crew) as workers:
        return iterate(
            function,
            optimiser,
            stop,
            lambda step: descend(function, constraints, optimiser, step, workers),
            judge or (lambda: total(function, constraints, 0, workers)),
            judge_every=judge_every,
            constant=constant,
            checkpoint=checkpoint,
            resume=resume,
            identity=identity,
            progress=progress,
        )


def descend(
    function: Network, constraints: Sequence[Constraint], optimiser: Optimizer, step: int, crew: Crew
) -> dict[str, float]:
    """One step of an optimiser, unless the loss is NaN; returns its terms before the step, by name."""
    if isinstance(optimiser, Natural):
        with crew.together():
            return optimiser.descend(function, constraints, step)
    if isinstance(optimiser, LBFGS):
        return _descend_by_closure(function, constraints, optimiser, step, crew)
    optimiser.zero_grad()
    terms = add_gradient(function, constraints, step, crew)
    if math.isfinite(sum(terms.values())):
        optimiser.step()
    return terms


def _descend_by_closure(
    function: Network, constraints: Sequence[Constraint], optimiser: LBFGS, step: int, crew: Crew
) -> dict[str, float]:
    """As many iterations on the batches of one step as the optimiser takes; between steps these should not change."""
    first: dict[str, float] = {}

    def closure() -> float:
        optimiser.zero_grad()
        terms = add_gradient(function, constraints, step, crew)
        first.update({} if first else terms)
        return sum(terms.values())

    optimiser.step(closure)
    return first
