"""∇Φ = a, or ΔΦ = a: a field from its derivatives alone (Sitzmann et al. 2020, section 4.1)."""

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

POINTS, WALKS = 512, 16
"""In a step: points inside of a region, and walks from each."""


def gradient_matches(sampler: Sampler, scale: float, weight: float = 1.0) -> Constraint:
    """The constraint C = scale · ∇Φ(x) - a(x), with a(x) of c · d channels."""
    return Constraint("gradient", sampler, _residual(lambda jet: jet.gradient, scale), order=1, weight=weight)


def laplacian_matches(sampler: Sampler, scale: float, weight: float = 1.0) -> Constraint:
    """The constraint C = scale · ΔΦ(x) - a(x)."""
    return Constraint("laplacian", sampler, _residual(lambda jet: jet.laplacian, scale), order=2, weight=weight)


def slope_matches(name: str, sampler: Sampler, axis: int, scale: float, weight: float = 1.0) -> Constraint:
    """The constraint C = scale · ∂Φ/∂xₖ(x) - a(x) for one axis k."""
    return Constraint(name, sampler, _residual(lambda jet: _along(jet, axis), scale), order=1, weight=weight)


def differences_match(sampler: Sampler, scale: float, weight: float) -> Constraint:
    """The constraint C = scale · (Φ(b) - Φ(a)) - ∫ from a to b, at pairs of points (a, b) that follow each other.

    The gradient of a smooth error is small, so ∇Φ = a alone says little about the low frequencies; its integrals
    along lines say as much about them as about the others.
    """

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        off = scale * jet.value - batch.target
        return off[1::2] - off[::2]

    return Constraint("difference", sampler, residual, weight=weight, group=2)


def pairs_on_lines(integrals: Sequence[Signal], size: int, *, seed: int, like: Tensor) -> Sampler:
    """`size` pairs of samples on one line along an axis, with the integrals along that axis as their targets."""

    def batch(step: int) -> Batch:
        random, axis = np.random.default_rng((seed, step, 1)), step % len(integrals)
        shape = integrals[axis].header.shape
        start = [random.integers(0, n, size) for n in shape]
        end = [random.integers(0, n, size) if k == axis else start[k] for k, n in enumerate(shape)]
        pairs = np.stack([np.ravel_multi_index(tuple(coords), shape) for coords in (start, end)], axis=1)
        return gather(integrals[axis], pairs.reshape(-1), like)

    return batch


def walk_targets(blended: Signal, other: Signal, inside: Bool[np.ndarray, ...], *, seed: int, like: Tensor) -> Sampler:
    """Samples inside of a region, with targets whose mean is the solution of ∇Φ = ∇blended that is `other` outside.

    The solution is `blended` and a harmonic function, which at the region's border is what `other` has more: the mean
    of that where random walks leave the region. A smooth error has a small gradient, and here it is seen.
    """
    walk, within, header = walk_on_spheres(inside, other.header.step), np.flatnonzero(inside), other.header
    blend, held = [each.values.reshape(-1, header.out_dim).astype(np.float64) for each in (blended, other)]

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step, 5))
        start = random.choice(within, POINTS)
        leave = walk(np.repeat(start, WALKS), random)
        values = blend[start] + (held - blend)[leave].reshape(POINTS, WALKS, -1).mean(axis=1)
        return gather(other, start, like)._replace(
            target=torch.from_numpy((values - header.middle) / header.half_range).to(like)
        )

    return batch


def _along(jet: Jet, axis: int) -> Tensor | None:
    return None if jet.gradient is None else jet.gradient[..., axis]


def _residual(read: Callable[[Jet], Tensor | None], scale: float) -> Callable[[Jet, Batch], Tensor]:
    def residual(jet: Jet, batch: Batch) -> Tensor:
        derivative = read(jet)
        assert derivative is not None
        assert batch.target is not None
        return scale * torch.flatten(derivative, 1) - batch.target

    return residual
