"""An equation's solution as a field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator
from torch.optim import LBFGS, Adam, Optimizer

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.networks import NETWORKS
from sinefield.parallel import WorkerPool
from sinefield.problems.problem import Problem
from sinefield.sampling.schedules import repeat_batch
from sinefield.signals import Header
from sinefield.tasks.fit import copied, finish
from sinefield.training.device import available
from sinefield.training.loop import Progress, Stop
from sinefield.training.loss import total
from sinefield.training.minimize import minimize
from sinefield.training.optimizers.natural import Natural
from sinefield.training.optimizers.soap import Soap

WIDTH, DEPTH = 64, 2
"""Of a network; a step of natural gradients takes a time that grows with the square of its width."""

OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "natural": lambda parameters: Natural(parameters, lr=0.5, noise=0.3),
    "soap": lambda parameters: Soap(parameters, lr=3e-3),
    "adam": lambda parameters: Adam(parameters, lr=1e-3),
    "lbfgs": lambda parameters: LBFGS(
        parameters,
        lr=1,
        max_iter=10,
        history_size=50,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    ),
}
"""Optimisers by name; benchmarks/equations.py prints what they reach in the same time."""

STEPS = {"natural": 300, "soap": 5000, "adam": 10_000, "lbfgs": 1000}
"""How long each goes on, where nothing else is said."""

HOLD = 100
"""Steps for which L-BFGS, which remembers the last ones, keeps its points."""

EVALUATE_EVERY, UNSEEN = 10, 10**6
"""Steps between two looks at the loss on points of its own, and the number of the step that these are from."""

SHOWN = 256
"""Cells along each axis of space that a solution is shown on unless told otherwise; along time a quarter."""


def solve(
    problem: Problem,
    *,
    activation: str = "sine",
    width: int = WIDTH,
    depth: int = DEPTH,
    omega: float | None = None,
    optimizer: str = "natural",
    steps: int | None = None,
    seconds: float | None = None,
    like: Field | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Field:
    """The field that satisfies the constraints of a problem.

    The weights with the least loss on points of their own are kept, not the last. Ctrl-C ends it with what there is.

    Args:
        problem: from `sinefield.problems`, or a `Problem` of one's own.
        activation: of the network; one with second derivatives, if the equation has some.
        width, depth, omega: of the network; ω of the first layer is the problem's unless given.
        optimiser: "natural", "soap", "adam" or "lbfgs".
        steps, seconds: when to stop, whichever comes first; 300 steps of natural gradients if neither is given.
        like: a solution to start from, so that one optimiser can go on where another ended; its network is kept.
        seed: of the weights; the points have the problem's own.
        device, dtype, checkpoint, resume, progress: as for `fit`.

    Returns:
        The field; `field.made` has the loss, and where the solution is known its `relative_l2`, ‖Φ - u‖ / ‖u‖ over the
        points where the problem is judged, and `mse`.

    Raises:
        InputError: an unknown activation or optimiser, or what `fit` raises.

    >>> from sinefield.problems import square
    >>> field = solve(square(size=64), width=16, depth=1, steps=40)
    >>> field.made["relative_l2"] < 0.1
    True
    """
    for name, choices in ((activation, list(NETWORKS)), (optimizer, list(OPTIMIZERS))):
        if name not in choices:
            raise InputError(f"there is no {name!r}; choose from {', '.join(choices)}")
    if dtype not in (torch.float32, torch.float64):
        raise InputError(f"dtype must be torch.float32 or torch.float64; it is {dtype}")
    if resume and checkpoint is None:
        raise InputError("resume needs the checkpoint folder to go on from")
    if omega is not None and activation not in ("sine", "finer", "wire"):
        raise InputError(f"omega is for sine, finer and wire; {activation} has none")
    domain, channels = problem.domain, problem.channels
    options: dict[str, Any] = {"width": width, "depth": depth}
    if activation in ("sine", "finer"):
        options["omega_first"] = float(problem.omega if omega is None else omega)
    elif omega is not None:
        options["omega_first"] = float(omega)
    out = max(len(channels), 1)
    network = (
        NETWORKS[activation](domain.dim, out, generator=Generator().manual_seed(seed), **options)
        if like is None
        else copied(like.network, {"in_dim": domain.dim, "out_dim": out})
    ).to(dtype)
    made = {
        "source": problem.name,
        "activation": next(name for name, kind in NETWORKS.items() if type(network) is kind),
        "optimiser": optimizer,
        "seed": seed,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    field = Field(network, shown(problem), made, hard_constraint=problem.hard_constraint).to(available(device))
    field.function.requires_grad_()
    method, constraints = OPTIMIZERS[optimizer](list(field.network.parameters())), problem.constraints
    if isinstance(method, LBFGS):
        constraints = [replace(each, sampler=repeat_batch(each.sampler, HOLD)) for each in constraints]
    with WorkerPool(field.middle.device) as pool:
        state, stopped = minimize(
            field.function,
            constraints,
            method,
            Stop(STEPS[optimizer] if steps is None and seconds is None else steps, seconds),
            evaluate=lambda: total(field.function, problem.constraints, UNSEEN, pool),
            evaluate_every=EVALUATE_EVERY,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            identity={**network.config(), **made, "dtype": str(dtype)},
            progress=progress,
            pool=pool,
        )
    finish(field, state, stopped)
    field.made["loss"] = state.best_mse
    try:
        field.made |= solution_quality(field, problem)
    except KeyboardInterrupt:  # the other solution may take a while; what was found is not lost by it
        field.made["stopped"] = "interrupted"
    return field


def shown(problem: Problem) -> Header:
    """The header of a problem's solution: values as they are, shown on a grid."""
    domain, channels = problem.domain, problem.channels
    shape = tuple(SHOWN // 4 if unit == "s" else SHOWN for unit in domain.units)
    out = max(len(channels), 1)
    return Header("array", domain, shape, channels, "float64", (-1.0,) * out, (1.0,) * out)


def solution_quality(field: Field, problem: Problem) -> dict[str, float]:
    """How far a field is from the solution of a problem, where that is known.

    Returns:
        `relative_l2`, ‖Φ - u‖ / ‖u‖, and `mse`, the mean square of Φ - u over points and channels.
    """
    if problem.reference is None or problem.eval_points is None:
        return {}
    wanted = problem.reference(problem.eval_points)
    off = field.at(problem.eval_points).reshape(wanted.shape) - wanted
    return {"relative_l2": float(np.linalg.norm(off) / np.linalg.norm(wanted)), "mse": float(np.square(off).mean())}
