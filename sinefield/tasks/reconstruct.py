"""A signal from its gradient or its Laplacian alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.optim import Optimizer

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.derivatives import differences_match, gradient_matches, laplacian_matches, pairs_on_lines
from sinefield.errors import InputError
from sinefield.field.evaluate import evaluate_grid
from sinefield.field.field import Field
from sinefield.metrics import psnr
from sinefield.parallel import WorkerPool
from sinefield.progress import ProgressCallback
from sinefield.sampling.data import ordered_batches, random_batches
from sinefield.sampling.permutation import Indices
from sinefield.signals import Signal, estimate_gradient, estimate_laplacian, line_integrals
from sinefield.training.loop import Evaluation
from sinefield.training.loss import mean_square
from sinefield.training.optimizers.choices import OptimizerChoice
from sinefield.training.optimizers.soap import Soap
from sinefield.training.quality import checksum, quality, random_subset
from sinefield.training.recipes import Recipe, build_network, find_recipe
from sinefield.training.spec import NetworkSpec, Training
from sinefield.training.train_field import new_field, train_field

LINE_WEIGHT = 1.0
"""Weight of the differences along lines relative to the gradient, both with targets on [-1, 1]."""

LINE_PAIRS = 512
"""Pairs of points on lines in a step."""

RATE_SCALE = {"gradient": 1.0, "laplacian": 0.2}
"""Learning rate relative to the default recipe. The second derivatives of an untrained network are far larger than
those of a picture, and at the full learning rate the network collapses to zero."""

OFFICIAL_FACTOR = {"gradient": 10 * 8, "laplacian": 1e4}
"""Factor of the derivative per pixel in the official code; its gradient has another 8 of scipy's Sobel filter."""


class Target(NamedTuple):
    """A constraint with the samples of a signal on which it is evaluated."""

    constraint: Constraint
    signal: Signal
    indices: Indices | None = None


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
    optimizer: str | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: ProgressCallback | None = None,
) -> Field:
    """Find the field whose derivatives are those of the samples of a signal; of the values only the mean is used.

    The gradient determines Φ up to a constant, which the mean fixes; the Laplacian determines it up to a harmonic
    function.

    Args:
        signal: A picture, or any other signal on a grid.
        source: "gradient" or "laplacian".
        stencil: How the derivatives are estimated, see `sinefield.signals.stencils`; the paper's by default.
        recipe: "default", or "paper" for the factors of the official code (10 on the gradient and 1e4 on the Laplacian
            of a picture on [-1, 1]²), its loss and its optimizer, for square pictures.
        activation, width, depth, omega, optimizer, steps, seconds, seed, device, dtype, checkpoint, resume, progress:
            As for `sinefield.fit`.

    Returns:
        The field. `field.info.quality` has `psnr_db` of the values and, of the derivatives that were fitted,
        `gradient_psnr_db` or `laplacian_psnr_db`, whose peak is the span of the estimate.

    Raises:
        InputError: An unknown source or stencil, a network without the derivative, or what `sinefield.fit` raises.
    """
    if source not in ("gradient", "laplacian"):
        raise InputError(f"a picture is reconstructed from its gradient or its laplacian, not from {source!r}")
    if source == "laplacian" and activation == "relu":
        raise InputError("the Laplacian of a ReLU network is zero everywhere, so it cannot learn one; use the gradient")
    estimate = estimate_gradient if source == "gradient" else estimate_laplacian
    target = estimate(signal) if stencil is None else estimate(signal, stencil)
    spec = NetworkSpec(activation, width, depth, omega)
    training = Training(steps, seconds, None, seed, device, dtype, checkpoint, resume, progress)
    return _reconstruct(signal, target, source, stencil, spec, training, recipe, optimizer)


def _reconstruct(
    signal: Signal,
    target: Signal,
    source: str,
    stencil: str | None,
    spec: NetworkSpec,
    training: Training,
    recipe: str,
    optimizer: str | None,
) -> Field:
    """Return the field whose derivatives are those of a target."""
    seed, plan = training.seed, derivative_recipe(recipe, signal, spec.activation, optimizer)
    network = build_network(spec, signal, plan, seed)
    settings = {"recipe": recipe, "from": source, "stencil": stencil}
    field = new_field(network, signal, plan, training, "reconstruct", settings)
    like = field.network.weights[0]
    batches = random_batches(target, plan.batch_size(target.size), seed=seed, like=like)
    # the values of the network and the target are both on [-1, 1]: the ratio of their units
    scale = half_range(signal) / half_range(target)
    gain, weight = (1.0, 1.0) if recipe == "default" else _official(field, source, scale)
    match = (gradient_matches if source == "gradient" else laplacian_matches)(batches, scale / gain, weight)
    constraints = [match]
    if source == "gradient" and recipe == "default":
        constraints.append(line_differences(line_integrals(target, signal.header.domain.dim), signal, seed, like))
    rate_scale = RATE_SCALE[source] if recipe == "default" and optimizer is None else 1.0
    method = plan.make_optimizer(field.network, rate_scale)
    [error] = train_on_targets(field, constraints, [Target(match, target)], method, training.or_steps(plan.steps))
    with torch.no_grad():
        field.network.weights[-1] /= gain
        field.network.biases[-1] /= gain
    set_mean(field, signal.values.mean(axis=tuple(range(signal.values.ndim - 1)), dtype=np.float64))
    field.info = field.info.with_quality({f"{source}_psnr_db": psnr(error / weight), **quality(field, signal)})
    return field


def train_on_targets(
    field: Field,
    constraints: Sequence[Constraint],
    targets: Sequence[Target],
    optimizer: Optimizer,
    training: Training,
) -> list[float]:
    """Train a field; return the weighted mean squares of the targets, by whose sum weights are compared."""
    function, like = field.function, field.network.weights[0]

    def error(target: Target, pool: WorkerPool) -> float:
        constraint = target.constraint
        batches = ordered_batches(target.signal, pool.max_chunk, indices=target.indices, like=like)
        return constraint.weight * mean_square(function, constraint.residual, batches, pool, constraint.order)

    subsets = [
        target._replace(indices=random_subset(target.signal, target.indices, training.seed)) for target in targets
    ]
    sizes = [target.signal.size if target.indices is None else len(target.indices) for target in targets]
    with WorkerPool(like.device) as pool:
        train_field(
            field,
            constraints,
            optimizer,
            training,
            Evaluation(lambda: sum(error(target, pool) for target in subsets)),
            identity={"checksum": [checksum(target.signal) for target in targets], "samples": sizes},
            pool=pool,
        )
    with WorkerPool(like.device) as pool:
        return [error(target, pool) for target in targets]


def line_differences(integrals: Sequence[Signal], signal: Signal, seed: int, like: Tensor) -> Constraint:
    """Return the constraint on differences along lines, from the integrals of a gradient along each axis."""
    pairs = pairs_on_lines(integrals, LINE_PAIRS, seed=seed, like=like)
    return differences_match(pairs, half_range(signal) / half_range(integrals[0]), LINE_WEIGHT)


def derivative_recipe(recipe: str, signal: Signal, activation: str, optimizer: str | None = None) -> Recipe:
    """Return a recipe for derivatives, which weigh high frequencies more: a smaller ω and an earlier decay."""
    if recipe not in ("default", "paper"):
        find_recipe(recipe, signal, activation)
        raise InputError(f"the recipe {recipe} is for values, not for derivatives; take default or paper")
    plan = find_recipe(recipe, signal, activation, optimizer)
    if recipe == "paper":
        return plan
    soap = OptimizerChoice(partial(Soap, decay_start=50), None, plan.steps)
    return replace(
        plan,
        omega=lambda signal, parameters: 30.0 * signal.header.domain.dim,
        optimizer=soap if optimizer is None else plan.optimizer,
    )


def half_range(signal: Signal) -> float:
    """Return the difference in value that 1 stands for in a signal on [-1, 1]."""
    return float(signal.header.half_range.max())


@torch.no_grad()
def set_mean(field: Field, mean: Float64[np.ndarray, " c"]) -> None:
    """Add the constant to a field that gives its samples this mean, in the user's units."""
    header, bias = field.header, field.network.biases[-1]
    values = evaluate_grid(field.function, header.domain, header.shape, device=bias.device)
    wanted = (mean - header.middle) / header.half_range
    bias += torch.from_numpy(wanted - values.reshape(-1, header.out_dim).mean(axis=0, dtype=np.float64)).to(bias)


def _official(field: Field, source: str, scale: float) -> tuple[float, float]:
    """Return the ratio of the official code's network to the picture, and the weight that makes the loss its own.

    Its network f on [-1, 1]² has ∂f/∂u = F · ∂I/∂px with u = px / half_extent, so f = F / half_extent · I.

    Raises:
        InputError: The axes have different lengths, for which no f has this gradient.
    """
    extents, step = set(field.network_domain.half_extent), field.header.step[0]
    if len(extents) > 1:
        raise InputError("the paper's recipe is for square pictures; give a --size such as 256x256")
    order, axes = (1, field.header.domain.dim) if source == "gradient" else (2, 1)
    gain = OFFICIAL_FACTOR[source] * (step / extents.pop()) ** order
    return gain, axes * (OFFICIAL_FACTOR[source] * step**order / scale) ** 2
