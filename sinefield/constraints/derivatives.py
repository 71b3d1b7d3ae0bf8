"""Constraints of fields that are known by their derivatives, ∇Φ = a or ΔΦ = a (Sitzmann et al. 2020, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.walk_on_spheres import walk_on_spheres
from sinefield.jets import Jet
from sinefield.sampling.batch import Batch, Sampler
from sinefield.sampling.data import gather
from sinefield.signals import Signal

WALK_STARTS = 512
"""Number of points in a batch of `walk_targets`."""

WALKS_PER_START = 16
"""Number of random walks from each point in a batch of `walk_targets`."""


def gradient_matches(sampler: Sampler, scale: float, weight: float = 1.0) -> Constraint:
    """Return the constraint scale · ∇Φ(x) = a(x), where a has c · d channels."""
    return Constraint("gradient", sampler, _residual(lambda jet: jet.gradient, scale), order=1, weight=weight)


def laplacian_matches(sampler: Sampler, scale: float, weight: float = 1.0) -> Constraint:
    """Return the constraint scale · ΔΦ(x) = a(x)."""
    return Constraint("laplacian", sampler, _residual(lambda jet: jet.laplacian, scale), order=2, weight=weight)


def slope_matches(name: str, sampler: Sampler, axis: int, scale: float, weight: float = 1.0) -> Constraint:
    """Return the constraint scale · ∂Φ/∂xₖ(x) = a(x) for axis k."""
    return Constraint(name, sampler, _residual(lambda jet: _partial(jet, axis), scale), order=1, weight=weight)


def differences_match(sampler: Sampler, scale: float, weight: float) -> Constraint:
    """Return the constraint scale · (Φ(x₂) - Φ(x₁)) = a(x₂) - a(x₁), where a is an integral along an axis.

    The constraint ∇Φ = a hardly restricts low frequencies, since a smooth error has a small gradient. Integrals along
    lines restrict all frequencies alike.

    Args:
        sampler: Sampler of consecutive pairs of points x₁, x₂, as `pairs_on_lines` returns.
        scale: Scale of Φ relative to the targets.
        weight: Weight of the term.
    """

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        error = scale * jet.value - batch.target
        return error[1::2] - error[::2]

    return Constraint("difference", sampler, residual, weight=weight, group=2)


def pairs_on_lines(integrals: Sequence[Signal], size: int, *, seed: int, like: Tensor) -> Sampler:
    """Sample pairs of grid points on a line parallel to an axis; the axis changes from step to step.

    Args:
        integrals: For each axis, the integral along that axis as a signal, whose values are the targets.
        size: Number of pairs in a batch.
        seed: Seed of the random numbers.
        like: Tensor with the dtype of the targets and the device of the batch.
    """

    def batch(step: int) -> Batch:
        random, axis = np.random.default_rng((seed, step, 1)), step % len(integrals)
        shape = integrals[axis].header.shape
        start = [random.integers(0, n, size) for n in shape]
        end = [random.integers(0, n, size) if k == axis else start[k] for k, n in enumerate(shape)]
        pairs = np.stack([np.ravel_multi_index(tuple(coords), shape) for coords in (start, end)], axis=1)
        return gather(integrals[axis], pairs.reshape(-1), like)

    return batch


def walk_targets(blended: Signal, other: Signal, inside: Bool[np.ndarray, ...], *, seed: int, like: Tensor) -> Sampler:
    """Sample points in a region, with unbiased estimates of the solution of Δu = Δblended with u = other outside.

    The solution is `blended` plus the harmonic function that equals other - blended on the boundary. Its value at a
    point is the mean of other - blended where random walks from the point leave the region. In contrast to gradients,
    such values reveal smooth errors.

    Args:
        blended: Signal whose Laplacian the solution has inside the region.
        other: Signal that the solution equals outside the region.
        inside: Mask of the region, of the shape of the grid.
        seed: Seed of the random walks.
        like: Tensor with the dtype of the targets and the device of the batch.
    """
    walk, interior, header = walk_on_spheres(inside, other.header.step), np.flatnonzero(inside), other.header
    blended_values, other_values = [
        each.values.reshape(-1, header.out_dim).astype(np.float64) for each in (blended, other)
    ]

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step, 5))
        start = random.choice(interior, WALK_STARTS)
        exits = walk(np.repeat(start, WALKS_PER_START), random)
        harmonic = (other_values - blended_values)[exits].reshape(WALK_STARTS, WALKS_PER_START, -1).mean(axis=1)
        values = blended_values[start] + harmonic
        return gather(other, start, like)._replace(
            target=torch.from_numpy((values - header.middle) / header.half_range).to(like)
        )

    return batch


def _partial(jet: Jet, axis: int) -> Tensor | None:
    return None if jet.gradient is None else jet.gradient[..., axis]


def _residual(read: Callable[[Jet], Tensor | None], scale: float) -> Callable[[Jet, Batch], Tensor]:
    """Return the residual scale · read(jet) - a."""

    def residual(jet: Jet, batch: Batch) -> Tensor:
        derivative = read(jet)
        assert derivative is not None
        assert batch.target is not None
        return scale * torch.flatten(derivative, 1) - batch.target

    return residual
