"""∇Φ = a, or ΔΦ = a: a field from its derivatives alone (Sitzmann et al. 2020, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt
from torch import Tensor

from sinefield.constraints import Constraint
from sinefield.jets import Jet
from sinefield.samplers import Batch, Sampler, take
from sinefield.signals import Signal


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


def fluxes_vanish(sampler: Sampler, weight: float, points: int) -> Constraint:
    """The constraint C = ∮ (∇Φ - a) · n over closed surfaces, each given by so many points in a row.

    Where ‖∇Φ - a‖² is smallest, ∇Φ - a has no divergence, so by Gauss's theorem no flux through any surface, large or
    small; unlike the differences along lines this holds for an a that is no gradient. A smooth error with its small
    gradient has a large flux through a large surface.
    """

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert jet.gradient is not None and batch.target is not None and batch.normal is not None
        through = (jet.gradient * batch.normal.to(jet.gradient)[:, None]).sum(-1) - batch.target
        return through.unflatten(0, (-1, points)).sum(1)

    return Constraint("flux", sampler, residual, order=1, weight=weight, group=points)


def boxes(
    slopes: Sequence[Signal],
    inside: NDArray[np.bool_],
    count: int,
    points: int,
    *,
    unit: float,
    seed: int,
    like: Tensor,
) -> Sampler:
    """`count` cubes of samples that are all inside, with `points` random places on each of their 2 d faces.

    A face at the edge of the grid is left out: nothing flows there. The normals are as long as the part of the face
    that a place stands for, and so are the targets.

    Args:
        slopes: the differences along each axis, on the points half way between the samples.
        inside: which samples a cube may have in it.
        unit: what a value of 1 stands for.
    """
    dim, shape = inside.ndim, np.array(inside.shape)
    room = distance_transform_cdt(np.pad(inside, [(n, n) for n in shape], mode="edge"), metric="chessboard")
    room = room[tuple(slice(n, 2 * n) for n in shape)]
    step = np.array([slope.header.step[axis] for axis, slope in enumerate(slopes)])
    centres, chance = np.argwhere(inside), np.minimum(room[inside], shape.max()).astype(float)
    chance /= chance.sum()
    faces = [(axis, side) for axis in range(dim) for side in (0, 1)]

    def batch(step_number: int) -> Batch:
        random = np.random.default_rng((seed, step_number, 2))
        chosen = random.choice(len(centres), count, p=chance)
        half = (random.random(count) * np.minimum(room[inside][chosen], shape.max())).astype(int)[:, None]
        low, high = np.maximum(centres[chosen] - half, 0), np.minimum(centres[chosen] + half, shape - 1)
        parts = []
        for axis, side in faces:
            place = low[:, None] + (random.random((count, points, dim)) * (high - low + 1)[:, None]).astype(int)
            place[..., axis] = (high if side else low - 1)[:, None, axis]  # between this sample and the next
            crossed = (place[..., axis] >= 0) & (place[..., axis] < shape[axis] - 1)
            place[..., axis] = place[..., axis].clip(0, shape[axis] - 2)
            area = np.prod(np.delete((high - low + 1) * step, axis, axis=1), axis=1)[:, None] / points * crossed
            found = take(slopes[axis], np.ravel_multi_index(tuple(place.reshape(-1, dim).T), slopes[axis].header.shape))
            sign = (1.0 if side else -1.0) * area
            normal = np.zeros((count, points, dim))
            normal[..., axis] = sign
            assert found.target is not None
            half_range = slopes[axis].header.half_range / unit
            flow = found.target.numpy().reshape(count, points, -1) * half_range * sign[..., None]
            parts.append((found.x.reshape(count, points, dim), flow, normal))
        x, flow, normals = (
            np.concatenate(each, axis=1).reshape(count * len(faces) * points, -1) for each in zip(*parts)
        )
        return Batch(
            torch.from_numpy(x).to(like.device),
            torch.from_numpy(flow).to(like),
            normal=torch.from_numpy(normals).to(like.device),
        )

    return batch


def pairs_on_lines(integrals: Sequence[Signal], size: int, *, seed: int, like: Tensor) -> Sampler:
    """`size` pairs of samples that lie on one line along an axis, with the integrals along that axis as their targets."""

    def batch(step: int) -> Batch:
        random, axis = np.random.default_rng((seed, step, 1)), step % len(integrals)
        shape = integrals[axis].header.shape
        start = [random.integers(0, n, size) for n in shape]
        end = [random.integers(0, n, size) if k == axis else start[k] for k, n in enumerate(shape)]
        pairs = np.stack([np.ravel_multi_index(tuple(places), shape) for places in (start, end)], axis=1)
        return take(integrals[axis], pairs.reshape(-1), like)

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
