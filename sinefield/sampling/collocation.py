"""Collocation points in domains and regions, on their boundaries and near surfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.quasirandom import SobolEngine

from sinefield.domain import Domain, Region
from sinefield.errors import InputError
from sinefield.sampling.batch import Batch, Sampler

BAND, NEWTON, EDGE, TRIES = 16, 8, 1e-6, 1000
"""Candidates for each point on a border, steps onto it, how close to it they end, in halves of the box; and how often
points are drawn anew."""


def grid(domain: Domain, shape: Sequence[int]) -> Sampler:
    """The centres of `shape` equal cells of a domain, the same at each step."""
    axes = np.meshgrid(*domain.centers(shape), indexing="ij")
    batch = Batch(torch.from_numpy(np.stack(axes, axis=-1).reshape(-1, domain.dim)))
    return lambda step: batch


def uniform(where: Domain | Region, size: int, *, seed: int = 0) -> Sampler:
    """`size` points drawn uniformly from a domain or a region, anew at each step."""
    domain, inside = _parts(where)

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step))
        return Batch(_first(size, inside, lambda: _inside(domain, random.random((size, domain.dim)))))

    return batch


def sobol(where: Domain | Region, size: int, *, seed: int = 0) -> Sampler:
    """`size` points of a scrambled Sobol sequence in a domain or a region, scrambled anew at each step (Owen 1998).

    They cover it more evenly than uniform ones; a power of two is best.
    """
    domain, inside = _parts(where)

    def batch(step: int) -> Batch:
        engine = SobolEngine(domain.dim, scramble=True, seed=int(np.random.default_rng((seed, step)).integers(2**31)))
        return Batch(_first(size, inside, lambda: _inside(domain, engine.draw(size, dtype=torch.float64).numpy())))

    return batch


def boundary(
    where: Domain | Region, size: int, *, faces: Sequence[tuple[int, int]] | None = None, seed: int = 0
) -> Sampler:
    """`size` points drawn uniformly from the faces of a box or from the border of a region, with the outward normals.

    Args:
        faces: of a box, some of them, each as its axis and 0 for the lower or 1 for the upper end; [(0, 0)] is where
            time begins, if that is the first coordinate. All of them unless given.

    Raises:
        InputError: no face, or one that the box does not have.

    >>> from sinefield.domain import box
    >>> boundary(box((0, -1), (2, 1)), 3, faces=[(0, 0)])(0).x[:, 0].tolist()
    [0.0, 0.0, 0.0]
    """
    if isinstance(where, Region):
        if faces is not None:
            raise InputError("a region has a border; faces are of a box")
        return _border(where, size, seed)
    domain = where
    wanted = [(axis, side) for axis in range(domain.dim) for side in (0, 1)] if faces is None else list(faces)
    if not wanted or any(axis not in range(domain.dim) or side not in (0, 1) for axis, side in wanted):
        raise InputError(f"the faces of a box of {domain.dim} axes are (axis, 0) and (axis, 1); found {wanted}")
    axes, sides = np.array(wanted).T
    extent = np.subtract(domain.upper, domain.lower)
    area = (np.prod(extent) / extent)[axes]

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step))
        face = random.choice(len(wanted), size, p=area / area.sum())
        rows, axis = np.arange(size), axes[face]
        unit = random.random((size, domain.dim))
        unit[rows, axis] = sides[face]
        normal = np.zeros((size, domain.dim))
        normal[rows, axis] = 2.0 * sides[face] - 1
        return Batch(_inside(domain, unit), normal=torch.from_numpy(normal))

    return batch


def _border(region: Region, size: int, seed: int) -> Sampler:
    """Points near the border, brought onto it by Newton's steps."""
    domain, half = region.box, max(region.box.half_extent)
    low, extent = np.asarray(domain.lower), np.subtract(domain.upper, domain.lower)
    lower, upper = (torch.tensor(end, dtype=torch.float64) for end in (domain.lower, domain.upper))

    def onto(random: np.random.Generator) -> Tensor:
        # from a wider box, since a border may touch its own
        x = torch.from_numpy(low + extent * (1.25 * random.random((BAND * size, domain.dim)) - 0.125))
        x = x[region.slope(x)[0].abs().argsort()[:size]]  # a thin band: each part of the border has its share
        for _ in range(NEWTON):
            distance, slope = region.slope(x)
            x = x - (distance / slope.square().sum(1).clamp_min(1e-12))[:, None] * slope
        return x

    def on(x: Tensor) -> Tensor:
        return ((x >= lower - EDGE * half) & (x <= upper + EDGE * half)).all(1) & (
            region.slope(x)[0].abs() < EDGE * half
        )

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step))
        x = _first(size, on, lambda: onto(random))
        return Batch(x, normal=torch.nn.functional.normalize(region.slope(x)[1], dim=1))

    return batch


def surface(
    points: Float64[np.ndarray, "m d"], normals: Float64[np.ndarray, "m d"] | None, size: int, *, seed: int = 0
) -> Sampler:
    """`size` of the points of a surface with their normals, if there are any, drawn anew at each step."""
    coords = torch.from_numpy(points)
    directions = None if normals is None else torch.from_numpy(normals)

    def batch(step: int) -> Batch:
        index = torch.from_numpy(np.random.default_rng((seed, step)).integers(0, len(points), size))
        return Batch(coords[index], normal=None if directions is None else directions[index])

    return batch


def near_surface(
    points: Float64[np.ndarray, "m d"], domain: Domain, reach: float, size: int, *, seed: int = 0
) -> Callable[[int], Float64[np.ndarray, "n d"]]:
    """Places anew at each step: three in four uniform in a domain, one near a point, at a deviation `reach`."""
    lower, extent = np.asarray(domain.lower), np.subtract(domain.upper, domain.lower)

    def draw(step: int) -> Float64[np.ndarray, "n d"]:
        random = np.random.default_rng((seed, step, 9))
        x = lower + random.random((size, domain.dim)) * extent
        near = points[random.integers(0, len(points), size // 4)]
        x[: len(near)] = near + reach * random.standard_normal(near.shape)
        return x

    return draw


def _parts(where: Domain | Region) -> tuple[Domain, Callable[[Tensor], Tensor] | None]:
    return (where.box, where.inside) if isinstance(where, Region) else (where, None)


def _first(size: int, inside: Callable[[Tensor], Tensor] | None, draw: Callable[[], Tensor]) -> Tensor:
    """The first `size` of the points that are drawn again and again and lie inside.

    Raises:
        InputError: next to none does.
    """
    if inside is None:
        return draw()[:size]
    found: list[Tensor] = []
    for _ in range(TRIES):
        x = draw()
        found.append(x[inside(x)])
        if sum(map(len, found)) >= size:
            return torch.cat(found)[:size]
    raise InputError("next to nothing of the region, or of its border, lies in its box; take a box close around it")


def _inside(domain: Domain, unit: Float64[np.ndarray, "n d"]) -> Float64[Tensor, "n d"]:
    """Points of the unit cube in a domain."""
    return torch.from_numpy(domain.lower + unit * np.subtract(domain.upper, domain.lower))
