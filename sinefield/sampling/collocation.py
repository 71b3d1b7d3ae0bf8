"""Samplers of collocation points in domains and regions, on their boundaries, and on or near surfaces."""

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

BOUNDARY_CANDIDATES = 16
"""Number of candidates drawn for each point on the boundary of a region; those closest to the boundary are used."""

NEWTON_STEPS = 8
"""Number of Newton steps that move a candidate onto the boundary of a region."""

BOUNDARY_TOLERANCE = 1e-6
"""Largest distance of an accepted point from the boundary of a region, relative to the half extent of its box."""

MAX_DRAWS = 1000
"""Number of times that points are drawn before rejection sampling gives up."""


def grid(domain: Domain, shape: Sequence[int]) -> Sampler:
    """Sample the centers of a grid of `shape` equal cells, the same at each step."""
    axes = np.meshgrid(*domain.centers(shape), indexing="ij")
    batch = Batch(torch.from_numpy(np.stack(axes, axis=-1).reshape(-1, domain.dim)))
    return lambda step: batch


def uniform(where: Domain | Region, size: int, *, seed: int = 0) -> Sampler:
    """Sample points from the uniform distribution on a domain or region.

    Args:
        where: Domain or region.
        size: Number of points in a batch.
        seed: Seed of the random numbers.

    Returns:
        A sampler with new points at each step.
    """
    domain, inside = _box_and_mask(where)

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step))

        def draw() -> Tensor:
            return _from_unit_cube(domain, random.random((size, domain.dim)))

        return Batch(_rejection_sample(size, inside, draw))

    return batch


def sobol(where: Domain | Region, size: int, *, seed: int = 0) -> Sampler:
    """Sample points of a scrambled Sobol sequence, which cover a domain or region more evenly than random points.

    Args:
        where: Domain or region.
        size: Number of points in a batch, preferably a power of two.
        seed: Seed of the scrambling.

    Returns:
        A sampler with a new scrambling at each step.

    Source: Owen, "Scrambling Sobol' and Niederreiter-Xing points", 1998.
    """
    domain, inside = _box_and_mask(where)

    def batch(step: int) -> Batch:
        engine = SobolEngine(domain.dim, scramble=True, seed=int(np.random.default_rng((seed, step)).integers(2**31)))

        def draw() -> Tensor:
            return _from_unit_cube(domain, engine.draw(size, dtype=torch.float64).numpy())

        return Batch(_rejection_sample(size, inside, draw))

    return batch


def boundary(
    where: Domain | Region, size: int, *, faces: Sequence[tuple[int, int]] | None = None, seed: int = 0
) -> Sampler:
    """Sample points from the uniform distribution on the faces of a box or on the boundary of a region.

    Args:
        where: Domain or region.
        size: Number of points in a batch.
        faces: Faces of the box to sample, each as (axis, 0) for the lower or (axis, 1) for the upper end of an axis
            (default: all). If time is the first coordinate, [(0, 0)] samples the initial time.
        seed: Seed of the random numbers.

    Returns:
        A sampler with new points at each step, and with outward normals.

    Raises:
        InputError: If `faces` is empty, contains a face that the box does not have, or is given for a region.

    >>> from sinefield.domain import box
    >>> boundary(box((0, -1), (2, 1)), 3, faces=[(0, 0)])(0).x[:, 0].tolist()
    [0.0, 0.0, 0.0]
    """
    if isinstance(where, Region):
        if faces is not None:
            raise InputError("faces is only for a box; omit it to sample the whole boundary of a region")
        return _region_boundary(where, size, seed)
    domain = where
    wanted = [(axis, side) for axis in range(domain.dim) for side in (0, 1)] if faces is None else list(faces)
    if not wanted or any(axis not in range(domain.dim) or side not in (0, 1) for axis, side in wanted):
        raise InputError(
            f"the faces of a box of {domain.dim} axes are (axis, 0) and (axis, 1), with axis = 0 … {domain.dim - 1}; "
            f"found {wanted}"
        )
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
        return Batch(_from_unit_cube(domain, unit), normal=torch.from_numpy(normal))

    return batch


def surface(
    points: Float64[np.ndarray, "m d"], normals: Float64[np.ndarray, "m d"] | None, size: int, *, seed: int = 0
) -> Sampler:
    """Sample from the given points of a surface, with replacement.

    Args:
        points: Points of the surface.
        normals: Normal at each point, or None.
        size: Number of points in a batch.
        seed: Seed of the random numbers.

    Returns:
        A sampler with new points at each step, and with their normals if there are any.
    """
    coords = torch.from_numpy(points)
    directions = None if normals is None else torch.from_numpy(normals)

    def batch(step: int) -> Batch:
        index = torch.from_numpy(np.random.default_rng((seed, step)).integers(0, len(points), size))
        return Batch(coords[index], normal=None if directions is None else directions[index])

    return batch


def near_surface(
    points: Float64[np.ndarray, "m d"], domain: Domain, reach: float, size: int, *, seed: int = 0
) -> Callable[[int], Float64[np.ndarray, "n d"]]:
    """Sample points of which a quarter lie near a surface and the others are uniform in a domain.

    Args:
        points: Points of the surface.
        domain: Domain of the uniform points.
        reach: Standard deviation of the normally distributed offsets from the surface, along each axis.
        size: Number of points.
        seed: Seed of the random numbers.

    Returns:
        A function from the step to new points (size, d), those near the surface first.
    """
    lower, extent = np.asarray(domain.lower), np.subtract(domain.upper, domain.lower)

    def draw(step: int) -> Float64[np.ndarray, "n d"]:
        random = np.random.default_rng((seed, step, 9))
        x = lower + random.random((size, domain.dim)) * extent
        near = points[random.integers(0, len(points), size // 4)]
        x[: len(near)] = near + reach * random.standard_normal(near.shape)
        return x

    return draw


def _region_boundary(region: Region, size: int, seed: int) -> Sampler:
    """Sample points close to the boundary of a region and move them onto it by Newton steps along the gradient."""
    domain, half = region.box, max(region.box.half_extent)
    low, extent = np.asarray(domain.lower), np.subtract(domain.upper, domain.lower)
    lower, upper = (torch.tensor(end, dtype=torch.float64) for end in (domain.lower, domain.upper))
    tolerance = BOUNDARY_TOLERANCE * half

    def draw(random: np.random.Generator) -> Tensor:
        # a box wider by 1/8 on each side, since the boundary may touch the box of the region
        x = torch.from_numpy(low + extent * (1.25 * random.random((BOUNDARY_CANDIDATES * size, domain.dim)) - 0.125))
        # the closest candidates fill a thin band of constant width, so their density along the boundary is uniform
        x = x[region.slope(x)[0].abs().argsort()[:size]]
        for _ in range(NEWTON_STEPS):
            distance, gradient = region.slope(x)
            x = x - (distance / gradient.square().sum(1).clamp_min(1e-12))[:, None] * gradient
        return x

    def accept(x: Tensor) -> Tensor:
        in_box = ((x >= lower - tolerance) & (x <= upper + tolerance)).all(1)
        return in_box & (region.slope(x)[0].abs() < tolerance)

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step))
        x = _rejection_sample(size, accept, lambda: draw(random))
        return Batch(x, normal=torch.nn.functional.normalize(region.slope(x)[1], dim=1))

    return batch


def _box_and_mask(where: Domain | Region) -> tuple[Domain, Callable[[Tensor], Tensor] | None]:
    """Return the box to draw from and the function that accepts points, None if all are accepted."""
    return (where.box, where.inside) if isinstance(where, Region) else (where, None)


def _rejection_sample(size: int, accept: Callable[[Tensor], Tensor] | None, draw: Callable[[], Tensor]) -> Tensor:
    """Draw points until `size` of them are accepted, and return these.

    Raises:
        InputError: If there are fewer after `MAX_DRAWS` draws.
    """
    if accept is None:
        return draw()[:size]
    accepted: list[Tensor] = []
    for _ in range(MAX_DRAWS):
        x = draw()
        accepted.append(x[accept(x)])
        if sum(map(len, accepted)) >= size:
            return torch.cat(accepted)[:size]
    raise InputError(
        f"only {sum(map(len, accepted))} of {size} points of the region or its boundary were found in its box; "
        "check the sign of the distance and use a box that encloses the region closely"
    )


def _from_unit_cube(domain: Domain, unit: Float64[np.ndarray, "n d"]) -> Float64[Tensor, "n d"]:
    """Map points from the unit cube to a domain."""
    return torch.from_numpy(domain.lower + unit * np.subtract(domain.upper, domain.lower))
