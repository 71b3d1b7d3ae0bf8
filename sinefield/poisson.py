"""A signal from its derivatives alone."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from sinefield.constraints import Constraint
from sinefield.errors import InputError
from sinefield.field import Field
from sinefield.fields import Network
from sinefield.fit import CHUNK, Progress, Stop, finish, minimise, quality, spread, start
from sinefield.jets import propagate
from sinefield.metrics import psnr as decibels
from sinefield.problems.poisson import differences_match, gradient_matches, laplacian_matches, pairs_on_lines
from sinefield.recipes import RECIPES, build
from sinefield.samplers import Batch, pieces, shuffled
from sinefield.signals import Signal, estimate_gradient, estimate_laplacian, line_integrals

LINES = 1.0
"""The weight of the differences along lines beside the gradient, all with their targets on [-1, 1]."""

PAIRS = 512
"""Pairs of points on lines in a step."""


RATE = {"gradient": 1.0, "laplacian": 0.2}
"""Of the recipe's learning rate: second derivatives of a new network are far larger than a picture's, and a full step
takes them to zero and the network with them."""


def reconstruct(
    signal: Signal,
    source: str = "gradient",
    *,
    stencil: str | None = None,
    activation: str = "sine",
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Field:
    """The field whose derivatives are those of a signal's samples; of the values only the mean is used, afterwards.

    From the gradient, Φ is free up to a constant, which the mean fixes; from the Laplacian, up to a harmonic function.

    Args:
        signal: a picture, or any other signal on a grid.
        source: "gradient" or "laplacian".
        stencil: how the derivatives are estimated, see `sinefield.signals.stencils`; the paper's unless given.
        activation, width, depth, omega, steps, seconds, seed, device, progress: as for `fit`.

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
    estimate = estimate_gradient if source == "gradient" else estimate_laplacian
    target = estimate(signal) if stencil is None else estimate(signal, stencil)
    plan, made = RECIPES["default"], {"recipe": "default", "activation": activation, "seed": seed, "from": source}
    network = build(activation, signal.header, plan, width=width, depth=depth, omega=omega, seed=seed)
    field = start(network, signal, plan, made, device)
    like, batches = network.weights[0], shuffled(target, plan.batch, seed=seed, like=network.weights[0])
    # the network's values are on [-1, 1] and the target's too: the ratio of what these stand for
    scale = _half(signal) / _half(target)
    matches = gradient_matches(batches, scale) if source == "gradient" else laplacian_matches(batches, scale)
    constraints = [matches]
    if source == "gradient":
        integrals = line_integrals(target, signal.header.domain.dim)
        lines = pairs_on_lines(integrals, signal.header.domain.dim, PAIRS, seed=seed, like=like)
        constraints.append(differences_match(lines, _half(signal) / _half(integrals), LINES))
    if steps is None and seconds is None:
        steps = plan.steps
    few = list(pieces(target, CHUNK, indices=spread(target, None, seed), like=like))
    state, stopped = minimise(
        field.function,
        constraints,
        plan.optimiser(field.function.parameters(), plan.rate[activation] * RATE[source]),
        Stop(steps, seconds),
        judge=lambda: _mean_square(field.function, matches, few),
        progress=progress,
    )
    _fix_mean(field, signal)
    finish(field, state, stopped)
    field.made |= quality(field, signal)
    error = _mean_square(field.function, matches, pieces(target, CHUNK, like=like))
    field.made[f"{source}_psnr_db"] = decibels(error)
    return field


def _half(signal: Signal) -> float:
    """What 1 stands for in a signal on [-1, 1]."""
    return float(signal.header.half_range.max())


@torch.no_grad()
def _mean_square(function: Network, constraint: Constraint, batches: Iterable[Batch]) -> float:
    """The mean squared residual of a constraint over some batches."""
    total = count = 0.0
    for batch in batches:
        residual = constraint.residual(propagate(function, batch.x, constraint.order), batch)
        total += residual.double().square().sum().item()
        count += residual.numel()
    return total / count


@torch.no_grad()
def _fix_mean(field: Field, signal: Signal) -> None:
    """Add the constant to a field that gives its samples the mean of the signal's."""
    bias = field.network.biases[-1]
    means = [(field.function(batch.x) - batch.target).double().sum(0) for batch in pieces(signal, CHUNK, like=bias)]
    bias -= (torch.stack(means).sum(0) / signal.header.size).to(bias)
