"""The solution of an equation as a field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.field.info import FitInfo
from sinefield.networks import ACTIVATIONS, Perceptron
from sinefield.parallel import WorkerPool
from sinefield.problems.problem import Problem
from sinefield.progress import ProgressCallback
from sinefield.signals import Header
from sinefield.training.loop import Evaluation
from sinefield.training.loss import total_loss
from sinefield.training.optimizers.choices import OPTIMIZERS, find_optimizer, repeat_batches
from sinefield.training.recipes import check_omega_option
from sinefield.training.spec import NetworkSpec, Training
from sinefield.training.train_field import copy_network, train_field

WIDTH = 64
"""Default width of a network; the time of a step of natural gradients grows with the square of the width."""

DEPTH = 2
"""Default number of hidden layers after the first."""

PAPER = {"width": 256, "depth": 3}
"""Sizes of the network in the paper."""

EVALUATE_EVERY = 10
"""Steps between two evaluations of the loss."""

EVALUATION_STEP = 10**6
"""Number of the step whose points, which no training sees, are evaluated."""

DISPLAY_CELLS = 256
"""Cells along each spatial axis on which a solution is rendered by default; along time a quarter of them."""


def solve(
    problem: Problem,
    *,
    activation: str = "sine",
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    recipe: str = "default",
    optimizer: str | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    like: Field | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: ProgressCallback | None = None,
) -> Field:
    """Find the field that satisfies the constraints of a problem.

    The weights with the smallest loss on separate points are kept, not the last ones. Ctrl-C ends the training and
    returns the best field so far.

    Args:
        problem: An equation of `sinefield.problems`, or a `Problem` of your own.
        activation: Activation of the network, with second derivatives if the equation has some.
        width: Units in a hidden layer (default 64).
        depth: Hidden layers after the first (default 2).
        omega: ω of the first layer; that of the problem by default.
        recipe: "default", or "paper" for Adam and the network of the paper, 256 units and three hidden layers.
        optimizer: "natural", "soap", "adam" or "lbfgs"; that of the recipe by default.
        steps, seconds: When to stop, whichever comes first; by default a number of steps that suits the optimizer.
        like: A solution whose weights are the start, so that one optimizer can continue where another ended.
        seed: Seed of the weights; the points have the seed of the problem.
        device, dtype, checkpoint, resume, progress: As for `sinefield.fit`.

    Returns:
        The field. `field.info.quality` has the `loss` and, where a reference solution u is known, `relative_l2`,
        ‖Φ - u‖ / ‖u‖ over the evaluation points of the problem, and `mse`.

    Raises:
        InputError: An unknown activation, recipe or optimizer, or what `sinefield.fit` raises.

    >>> from sinefield.problems.poisson import poisson
    >>> field = solve(poisson(size=64), width=16, depth=1, steps=40)
    >>> field.info.quality["relative_l2"] < 0.1
    True
    """
    spec = NetworkSpec(activation, width, depth, omega)
    training = Training(steps, seconds, None, seed, device, dtype, checkpoint, resume, progress)
    return solve_problem(problem, spec, training, recipe, optimizer, like)


def solve_problem(
    problem: Problem,
    spec: NetworkSpec,
    training: Training,
    recipe: str = "default",
    optimizer: str | None = None,
    like: Field | None = None,
) -> Field:
    """Do what `solve` does, with the network and the training as objects."""
    if recipe not in ("default", "paper"):
        raise InputError(f"the recipe {recipe!r} is not for equations; choose default or paper")
    name = optimizer or ("adam" if recipe == "paper" else "natural")
    choice = find_optimizer(OPTIMIZERS, name)
    network = _network(problem, spec, training, recipe, like).to(training.dtype)
    if name == "natural" and not network.real:
        raise InputError(
            f"natural gradients need real weights; {network.name} has complex ones, take another optimizer"
        )
    settings = {"activation": network.name, "optimizer": name, "seed": training.seed}
    info = FitInfo(problem.name, "solve", settings, parameters=sum(p.numel() for p in network.parameters()))
    field = Field(network, display_header(problem), info, hard_constraint=problem.hard_constraint).to(training.device)
    with WorkerPool(field.middle.device) as pool:
        state = train_field(
            field,
            repeat_batches(problem.constraints, choice),
            choice.create(list(field.network.parameters())),
            training.or_steps(choice.steps),
            Evaluation(lambda: total_loss(field.function, problem.constraints, EVALUATION_STEP, pool), EVALUATE_EVERY),
            identity={"source": problem.name},
            pool=pool,
        )
    field.info = field.info.with_quality({"loss": state.best_error})
    try:
        field.info = field.info.with_quality(solution_quality(field, problem))
    except KeyboardInterrupt:  # the reference solution may take a while; the field is kept
        field.info = field.info.interrupted()
    return field


def display_header(problem: Problem) -> Header:
    """Return the header of a solution: values without a scale, rendered on a grid."""
    domain, channels = problem.domain, problem.channels
    shape = tuple(DISPLAY_CELLS // 4 if unit == "s" else DISPLAY_CELLS for unit in domain.units)
    count = max(len(channels), 1)
    return Header("array", domain, shape, channels, "float64", (-1.0,) * count, (1.0,) * count)


def solution_quality(field: Field, problem: Problem) -> dict[str, float]:
    """Return how far a field is from the reference solution of a problem, where one is known.

    Returns:
        `relative_l2`, ‖Φ - u‖ / ‖u‖, and `mse`, the mean square of Φ - u over points and channels.
    """
    if problem.reference is None or problem.eval_points is None:
        return {}
    reference = problem.reference(problem.eval_points)
    error = field.at(problem.eval_points).reshape(reference.shape) - reference
    return {
        "relative_l2": float(np.linalg.norm(error) / np.linalg.norm(reference)),
        "mse": float(np.square(error).mean()),
    }


def _network(problem: Problem, spec: NetworkSpec, training: Training, recipe: str, like: Field | None) -> Perceptron:
    check_omega_option(spec)
    in_dim, out_dim = problem.domain.dim, max(len(problem.channels), 1)
    if like is not None:
        network = copy_network(like.network, replace(spec, omega=None))
        if (network.in_dim, network.out_dim) != (in_dim, out_dim):
            raise InputError(
                f"the field to start from has {network.in_dim} coordinates and {network.out_dim} channels; "
                f"the problem has {in_dim} and {out_dim}"
            )
        return network
    kind = ACTIVATIONS.find(spec.activation)
    sizes = PAPER if recipe == "paper" else {"width": WIDTH, "depth": DEPTH}
    options: dict[str, Any] = {
        "width": sizes["width"] if spec.width is None else spec.width,
        "depth": sizes["depth"] if spec.depth is None else spec.depth,
    }
    if spec.omega is not None or kind.omega_from_signal:
        options["omega_first"] = float(problem.omega if spec.omega is None else spec.omega)
    return kind(in_dim, out_dim, generator=Generator().manual_seed(training.seed), **options)
