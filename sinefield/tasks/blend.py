"""Blending of two signals by their gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.derivatives import slope_matches, walk_targets
from sinefield.constraints.regression import difference
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.metrics import psnr as decibels
from sinefield.sampling.data import jittered, random_batches
from sinefield.signals import Signal, differences, weighted_sum
from sinefield.tasks.fit import start
from sinefield.tasks.reconstruct import Known, _descend, _fix_mean, _half, _lines, _plan
from sinefield.training.loop import Progress, Stop
from sinefield.training.recipes import build

BATCH = 2048
"""Points of a blend in a step."""


HELD = 5.0
"""How firmly a blend holds what is outside of its mask."""


MEMBRANE = 0.4
"""The weight of the random walks into the mask, which bring the values at its border inside, beside the gradient's."""


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
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Field:
    """The field whose gradient is a mix of two signals' gradients (Sitzmann et al. 2020, section 4.1).

    With a mask this is seamless cloning (Pérez, Gangnet and Blake, "Poisson Image Editing", 2003): ∇Φ follows the mix
    inside, and Φ is `other` outside.

    Args:
        one, other: signals on one grid with the same channels; the result has the kind and the range of `other`.
        mask: of the grid's shape, true where the mix is used; everywhere unless given. Without a mask the mean of the
            result is that of the two, by their shares.
        share: of `one` in the mix share · ∇one + (1 - share) · ∇other; one half unless given, with a mask 1.
        activation, width, depth, omega, steps, seconds, seed, device, checkpoint, resume, progress: as for `fit`.

    Returns:
        The field; `field.made` holds `gradient_psnr_db` of the mixed gradient, whose peak is the span of the mix, and
        with a mask `outside_psnr_db` of the values outside.

    Raises:
        InputError: signals or a mask that do not go together, a share beyond 0 and 1, or what `fit`
            raises.
    """
    header = other.header
    if (one.header.shape, one.header.channels) != (header.shape, header.channels):
        raise InputError(
            f"{_described(one)} and {_described(other)} do not go together; bring them to one size and kind"
        )
    share = share if share is not None else 0.5 if mask is None else 1.0
    if not 0 <= share <= 1:
        raise InputError(f"share must be from 0 to 1; it is {share}")
    plan = _plan("default", other)
    network = build(activation, other, plan, width=width, depth=depth, omega=omega, seed=seed)
    made = {"recipe": "default", "activation": activation, "seed": seed, "from": [one.name, other.name]}
    field = start(network, other, plan, {**made, "share": share}, device)
    like, dim = field.network.weights[0], header.domain.dim
    inside = None if mask is None else _checked(mask, header.shape)
    blended = weighted_sum(one, other, share)
    slopes = [differences(blended, axis) for axis in range(dim)]
    steepest = max(map(_half, slopes))
    known: list[Known] = []
    for axis, slope in enumerate(slopes):
        touched = None if inside is None else np.flatnonzero(np.delete(inside, -1, axis) | np.delete(inside, 0, axis))
        sampler = random_batches(slope, max(BATCH // dim, 1), indices=touched, seed=seed, like=like)
        sampler = jittered(sampler, axis, header.step[axis], seed=seed)
        scale, weight = _half(other) / _half(slope), (_half(slope) / steepest) ** 2
        name = f"slope along {header.domain.axes[axis]}"
        known.append((slope_matches(name, sampler, axis, scale, weight), slope, touched))
    constraints = [constraint for constraint, _, _ in known]
    if inside is None:
        constraints.append(_lines([blended] * dim, other, seed, like))
    else:
        outside = np.flatnonzero(~inside)
        # a pixel outside counts as a pixel inside does, with its error as the slope that it is over one of them
        weight = HELD * (_half(other) / steepest / min(header.step)) ** 2 * len(outside) / int(inside.sum())
        sampler = random_batches(other, BATCH, indices=outside, seed=seed, like=like)
        held = Constraint("outside", sampler, difference, weight=weight)
        walks = walk_targets(blended, other, inside, seed=seed, like=like)
        constraints += [held, Constraint("membrane", walks, difference, weight=MEMBRANE)]
        known.append((held, other, outside))
    stop = Stop(plan.steps if steps is None and seconds is None else steps, seconds)
    errors = _descend(
        field, constraints, known, plan.make_optimizer(field.network, activation), stop, checkpoint, resume, progress
    )
    field.made["gradient_psnr_db"] = decibels(sum(errors[:dim]) / dim)
    if inside is not None:
        field.made["outside_psnr_db"] = decibels(errors[-1] / weight)
    else:
        axes = tuple(range(dim))
        means = [each.values.mean(axis=axes, dtype=np.float64) for each in (one, other)]
        _fix_mean(field, share * means[0] + (1 - share) * means[1])
    return field


def _checked(mask: Bool[np.ndarray, ...], shape: tuple[int, ...]) -> Bool[np.ndarray, ...]:
    if mask.shape != shape:
        raise InputError(f"the mask has the shape {mask.shape}, the signals have {shape}; bring them to one size")
    if mask.all() or not mask.any():
        raise InputError("a mask is true in one part and false in another; this one is the same everywhere")
    return mask


def _described(signal: Signal) -> str:
    size = " x ".join(str(n) for n in reversed(signal.header.shape))
    return f"{signal.name} ({size}, {'/'.join(signal.header.channels) or 'gray'})"
