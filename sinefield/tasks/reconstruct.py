"""A signal from derivatives alone: from those of another one, or from a mix of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.optim import Optimizer

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.derivatives import differences_match, gradient_matches, laplacian_matches, pairs_on_lines
from sinefield.errors import InputError
from sinefield.field.evaluate import on_grid
from sinefield.field.field import Field
from sinefield.metrics import psnr as decibels
from sinefield.parallel import WorkerPool
from sinefield.sampling.data import ordered_batches, random_batches
from sinefield.sampling.permutation import Indices
from sinefield.signals import Signal, estimate_gradient, estimate_laplacian, line_integrals
from sinefield.tasks.fit import finish, start
from sinefield.training.loop import Progress, Stop
from sinefield.training.loss import mean_square
from sinefield.training.minimize import minimize
from sinefield.training.optimizers.soap import Soap
from sinefield.training.quality import checksum, quality, random_subset
from sinefield.training.recipes import Recipe, build, recipe_for

LINES = 1.0
"""The weight of the differences along lines beside the gradient, all with their targets on [-1, 1]."""


PAIRS = 512
"""Pairs of points on lines in a step."""


RATE = {"gradient": 1.0, "laplacian": 0.2}
"""Of the default recipe's learning rate: second derivatives of a new network are far larger than a picture's, and a
full step takes them to zero and the network with them."""


OFFICIAL = {"gradient": 10 * 8, "laplacian": 1e4}
"""What the official code multiplies the derivative per pixel with: its factor, and 8 for scipy's Sobel filter."""


Known = tuple[Constraint, Signal, Indices | None]
"""A constraint, and the samples of a signal by which it is judged."""


def reconstruct(
    signal: Signal,
    source: str = "gradient",
    *,
    stencil: str | None = None,
    activation: str = "sine",
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    recipe: str = "default",
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Field:
    """The field whose derivatives are those of a signal's samples; of the values only the mean is used, afterwards.

    From the gradient, Φ is free up to a constant, which the mean fixes; from the Laplacian, up to a harmonic function.

    Args:
        signal: a picture, or any other signal on a grid.
        source: "gradient" or "laplacian".
        stencil: how the derivatives are estimated, see `sinefield.signals.stencils`; the paper's unless given.
        recipe: "default", or "paper": the official code's factors (10 on the gradient and 1e4 on the Laplacian of a
            picture on [-1, 1]²), loss and optimiser, for square pictures.
        activation, width, depth, omega, steps, seconds, seed, device, checkpoint, resume, progress: as for `fit`.

    Returns:
        The field; `field.made` holds `psnr_db` of the values, and of the derivatives that were fitted
        `gradient_psnr_db` or `laplacian_psnr_db`, whose peak is the span of the estimate.

    Raises:
        InputError: an unknown source or stencil, a network without the derivative, or what `fit` raises.
    """
    if source not in ("gradient", "laplacian"):
        raise InputError(f"a picture is reconstructed from its gradient or its laplacian, not from {source!r}")
    if source == "laplacian" and activation == "relu":
        raise InputError("the Laplacian of a ReLU network is zero everywhere, so it cannot learn one; use the gradient")
    plan = _plan(recipe, signal)
    estimate = estimate_gradient if source == "gradient" else estimate_laplacian
    target = estimate(signal) if stencil is None else estimate(signal, stencil)
    network = build(activation, signal, plan, width=width, depth=depth, omega=omega, seed=seed)
    made = {"recipe": recipe, "activation": activation, "seed": seed, "from": source, "stencil": stencil}
    field = start(network, signal, plan, made, device)
    like = field.network.weights[0]
    batches = random_batches(target, plan.samples(target.size), seed=seed, like=like)
    # the network's values are on [-1, 1] and the target's too: the ratio of what these stand for
    scale = _half(signal) / _half(target)
    gain, weight = (1.0, 1.0) if recipe == "default" else _official(field, source, scale)
    matches = (gradient_matches if source == "gradient" else laplacian_matches)(batches, scale / gain, weight)
    constraints = [matches]
    if source == "gradient" and recipe == "default":
        constraints.append(_lines(line_integrals(target, signal.header.domain.dim), signal, seed, like))
    optimizer = plan.make_optimizer(field.network, activation, RATE[source] if recipe == "default" else 1.0)
    stop = Stop(plan.steps if steps is None and seconds is None else steps, seconds)
    known = [(matches, target, None)]
    [error] = _descend(field, constraints, known, optimizer, stop, checkpoint, resume, progress)
    field.made[f"{source}_psnr_db"] = decibels(error / weight)
    with torch.no_grad():
        field.network.weights[-1] /= gain
        field.network.biases[-1] /= gain
    _fix_mean(field, signal.values.mean(axis=tuple(range(signal.values.ndim - 1)), dtype=np.float64))
    field.made |= quality(field, signal)
    return field


def _descend(
    field: Field,
    constraints: Sequence[Constraint],
    known: Sequence[Known],
    optimizer: Optimizer,
    stop: Stop,
    checkpoint: str | Path | None,
    resume: bool,
    progress: Progress | None,
) -> list[float]:
    """Fit a field to constraints; returns the weighted mean square of those with `known` samples, which judge it."""
    function, seed, like = field.function, field.made["seed"], field.network.weights[0]

    def error(constraint: Constraint, signal: Signal, indices: Indices | None, pool: WorkerPool) -> float:
        batches = ordered_batches(signal, pool.max_chunk, indices=indices, like=like)
        return constraint.weight * mean_square(function, constraint.residual, batches, pool, constraint.order)

    eval_indices = [(constraint, signal, random_subset(signal, indices, seed)) for constraint, signal, indices in known]
    with WorkerPool(like.device) as pool:
        state, stopped = minimize(
            function,
            constraints,
            optimizer,
            stop,
            evaluate=lambda: sum(error(*each, pool) for each in eval_indices),
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            identity={
                **field.network.config(),
                **field.made,
                "samples' checksum": [checksum(signal) for _, signal, _ in known],
                "samples": [signal.size if indices is None else len(indices) for _, signal, indices in known],
            },
            progress=progress,
            pool=pool,
        )
    finish(field, state, stopped)
    with WorkerPool(like.device) as pool:
        return [error(*each, pool) for each in known]


def _lines(integrals: Sequence[Signal], signal: Signal, seed: int, like: Tensor) -> Constraint:
    """The differences along lines, from the integrals of a gradient along each axis."""
    pairs = pairs_on_lines(integrals, PAIRS, seed=seed, like=like)
    return differences_match(pairs, _half(signal) / _half(integrals[0]), LINES)


def _plan(recipe: str, signal: Signal) -> Recipe:
    """A recipe for derivatives, which weigh high frequencies more: a lower ω, and a rate that falls sooner."""
    plan = recipe_for(recipe, signal)
    if recipe not in ("default", "paper"):
        raise InputError(f"the recipe {recipe} is for values, not for derivatives; take default or paper")
    if recipe == "paper":
        return plan
    return replace(
        plan, omega=lambda signal, parameters: 30.0 * signal.header.domain.dim, optimizer=partial(Soap, held=50)
    )


def _official(field: Field, source: str, scale: float) -> tuple[float, float]:
    """How much larger than the picture the official code's network is, and the weight that makes the loss its own.

    Its network f on [-1, 1]² has ∂f/∂u = F · ∂I/∂px with u = px / half, so f = F / half · I.

    Raises:
        InputError: axes of different lengths, for which no f has this gradient.
    """
    halves, step = set(field.network_domain.half_extent), field.header.step[0]
    if len(halves) > 1:
        raise InputError("the paper's recipe is for square pictures; give a --size such as 256x256")
    order, axes = (1, field.header.domain.dim) if source == "gradient" else (2, 1)
    gain = OFFICIAL[source] * (step / halves.pop()) ** order
    return gain, axes * (OFFICIAL[source] * step**order / scale) ** 2


def _half(signal: Signal) -> float:
    """What 1 stands for in a signal on [-1, 1]."""
    return float(signal.header.half_range.max())


@torch.no_grad()
def _fix_mean(field: Field, mean: Float64[np.ndarray, " c"]) -> None:
    """Add the constant to a field that gives its samples this mean, in the user's units."""
    header, bias = field.header, field.network.biases[-1]
    values = on_grid(field.function, header.domain, header.shape, device=bias.device)
    wanted = (mean - header.middle) / header.half_range
    bias += torch.from_numpy(wanted - values.reshape(-1, header.out_dim).mean(axis=0, dtype=np.float64)).to(bias)
