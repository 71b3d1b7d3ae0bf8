"""Blending of two signals by their gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.derivatives import slope_matches, walk_targets
from sinefield.constraints.regression import difference
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.metrics import psnr
from sinefield.progress import ProgressCallback
from sinefield.sampling.data import jittered, random_batches
from sinefield.signals import Signal, differences, weighted_sum
from sinefield.tasks.reconstruct import (
    Target,
    derivative_recipe,
    half_range,
    line_differences,
    set_mean,
    train_on_targets,
)
from sinefield.training.recipes import build_network
from sinefield.training.spec import NetworkSpec, Training
from sinefield.training.train_field import new_field

BATCH = 2048
"""Points in a step."""

OUTSIDE_WEIGHT = 5.0
"""Weight of the values outside the mask relative to the gradient inside."""

MEMBRANE_WEIGHT = 0.4
"""Weight of the random walks, which carry the values at the border of the mask inside, relative to the gradient."""


def blend(
    one: Signal,
    other: Signal,
    *,
    mask: Bool[np.ndarray, ...] | None = None,
    share: float | None = None,
    activation: str = "sine",
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
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
    """Find the field whose gradient is a weighted sum of the gradients of two signals (Sitzmann et al. 2020, 4.1).

    With a mask this is seamless cloning (Pérez, Gangnet and Blake, "Poisson Image Editing", 2003): ∇Φ follows the sum
    inside the mask, and Φ is `other` outside.

    Args:
        one, other: Signals on one grid with the same channels; the result has the kind and the range of `other`.
        mask: Array of the shape of the grid, true where the sum is used; everywhere by default. Without a mask the
            mean of the result is the weighted sum of the two means.
        share: Weight of `one` in share · ∇one + (1 - share) · ∇other; by default 0.5, with a mask 1.
        activation, width, depth, omega, optimizer, steps, seconds, seed, device, dtype, checkpoint, resume, progress:
            As for `sinefield.fit`.

    Returns:
        The field. `field.info.quality` has `gradient_psnr_db` of the blended gradient, whose peak is its span, and
        with a mask `outside_psnr_db` of the values outside.

    Raises:
        InputError: Signals or a mask that do not match, a share outside [0, 1], or what `sinefield.fit` raises.
    """
    _check_pair(one, other)
    share = share if share is not None else 0.5 if mask is None else 1.0
    if not 0 <= share <= 1:
        raise InputError(f"share must be from 0 to 1; it is {share}")
    inside = None if mask is None else _checked(mask, other.header.shape)
    spec = NetworkSpec(activation, width, depth, omega)
    training = Training(steps, seconds, None, seed, device, dtype, checkpoint, resume, progress)
    return _blend(one, other, inside, share, spec, training, optimizer)


def _blend(
    one: Signal,
    other: Signal,
    inside: Bool[np.ndarray, ...] | None,
    share: float,
    spec: NetworkSpec,
    training: Training,
    optimizer: str | None,
) -> Field:
    """Return the blend of two signals that match."""
    seed, plan = training.seed, derivative_recipe("default", other, spec.activation, optimizer)
    network = build_network(spec, other, plan, seed)
    settings: dict[str, Any] = {"recipe": "default", "from": [one.name, other.name], "share": share}
    field = new_field(network, other, plan, training, "blend", settings)
    like, dim = field.network.weights[0], other.header.domain.dim
    blended = weighted_sum(one, other, share)
    targets = _slopes(blended, other, inside, seed, like)
    constraints = [target.constraint for target in targets]
    if inside is None:
        constraints.append(line_differences([blended] * dim, other, seed, like))
    else:
        outside = _outside(blended, other, inside, seed, like)
        walks = walk_targets(blended, other, inside, seed=seed, like=like)
        constraints += [outside.constraint, Constraint("membrane", walks, difference, weight=MEMBRANE_WEIGHT)]
        targets.append(outside)
    errors = train_on_targets(
        field, constraints, targets, plan.make_optimizer(field.network), training.or_steps(plan.steps)
    )
    figures = {"gradient_psnr_db": psnr(sum(errors[:dim]) / dim)}
    if inside is not None:
        figures["outside_psnr_db"] = psnr(errors[-1] / targets[-1].constraint.weight)
    else:
        axes = tuple(range(dim))
        means = [each.values.mean(axis=axes, dtype=np.float64) for each in (one, other)]
        set_mean(field, share * means[0] + (1 - share) * means[1])
    field.info = field.info.with_quality(figures)
    return field


def _slopes(
    blended: Signal, other: Signal, inside: Bool[np.ndarray, ...] | None, seed: int, like: Tensor
) -> list[Target]:
    """Return one constraint per axis on the slope between neighboring samples, where the mask touches both or all."""
    dim, targets = blended.header.domain.dim, []
    slopes = [differences(blended, axis) for axis in range(dim)]
    steepest = max(map(half_range, slopes))
    for axis, slope in enumerate(slopes):
        touched = None if inside is None else np.flatnonzero(np.delete(inside, -1, axis) | np.delete(inside, 0, axis))
        sampler = random_batches(slope, max(BATCH // dim, 1), indices=touched, seed=seed, like=like)
        sampler = jittered(sampler, axis, other.header.step[axis], seed=seed)
        scale, weight = half_range(other) / half_range(slope), (half_range(slope) / steepest) ** 2
        name = f"slope along {other.header.domain.axes[axis]}"
        targets.append(Target(slope_matches(name, sampler, axis, scale, weight), slope, touched))
    return targets


def _outside(blended: Signal, other: Signal, inside: Bool[np.ndarray, ...], seed: int, like: Tensor) -> Target:
    """Return the constraint that the values outside the mask are those of the other signal."""
    header, outside = other.header, np.flatnonzero(~inside)
    steepest = max(half_range(differences(blended, axis)) for axis in range(header.domain.dim))
    # a pixel outside has the weight of a pixel inside, with its error taken as a slope over one pixel
    ratio = (half_range(other) / steepest / min(header.step)) ** 2
    weight = OUTSIDE_WEIGHT * ratio * len(outside) / int(inside.sum())
    sampler = random_batches(other, BATCH, indices=outside, seed=seed, like=like)
    return Target(Constraint("outside", sampler, difference, weight=weight), other, outside)


def _check_pair(one: Signal, other: Signal) -> None:
    if (one.header.shape, one.header.channels) != (other.header.shape, other.header.channels):
        raise InputError(
            f"{_description(one)} and {_description(other)} do not go together; bring them to one size and kind"
        )


def _checked(mask: Bool[np.ndarray, ...], shape: tuple[int, ...]) -> Bool[np.ndarray, ...]:
    if mask.shape != shape:
        raise InputError(f"the mask has the shape {mask.shape}, the signals have {shape}; bring them to one size")
    if mask.all() or not mask.any():
        raise InputError("a mask must be true in one part and false in another; this one is the same everywhere")
    return mask


def _description(signal: Signal) -> str:
    size = " x ".join(str(n) for n in reversed(signal.header.shape))
    return f"{signal.name} ({size}, {'/'.join(signal.header.channels) or 'gray'})"
