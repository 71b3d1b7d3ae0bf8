"""Signal → batches of points: where a constraint is evaluated, and what it should give there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from numpy.typing import NDArray
from torch import Tensor
from torch.quasirandom import SobolEngine

from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.regions import Region
from sinefield.signals import Signal


class Batch(NamedTuple):
    """Points and what is known there.

    Attributes:
        x: coordinates in the user's units (n, d); float64, so that a time stamp keeps its digits.
        target: what is measured there (n, …), such as the values of a signal on [-1, 1] (n, c).
        weight: how much each point counts (n, 1); None where all count the same.
        normal: of the boundary or the surface, unit length, outwards (n, d).
    """

    x: Float[Tensor, "n d"]
    target: Float[Tensor, n * c] | None = None
    weight: Float[Tensor, "n 1"] | None = None
    normal: Float[Tensor, "n d"] | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        target, weight, normal = (None if each is None else each.to(device) for each in self[1:])
        return Batch(self.x.to(device), target, weight, normal)


Sampler = Callable[[int], Batch]
"""A function of the step alone, so that work that was cut off goes on with the same batches."""

BAND, NEWTON, EDGE, TRIES = 16, 8, 1e-6, 1000
"""Candidates for each point on a border, steps onto it, how close to it they end, in halves of the box; and how often
points are drawn anew."""

SINGLE = torch.empty(0, dtype=torch.float32)


class Shuffled:
    """A random order of 0 … count - 1 that takes no memory: a Feistel network, walked until it is back in range.

    Source: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002.

    >>> order = Shuffled(1000, seed=(0, 1))
    >>> sorted(order[:].tolist()) == list(range(1000))
    True
    """

    ROUNDS = 6

    def __init__(self, count: int, seed: tuple[int, ...]):
        self.count = count
        self.half = (max(count - 1, 1).bit_length() + 1) // 2
        self.keys = np.random.default_rng(seed).integers(2**63, size=self.ROUNDS, dtype=np.uint64)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, where: slice | Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " _"]:
        """The numbers at these positions of the order."""
        if isinstance(where, slice):
            where = np.arange(*where.indices(self.count))
        found = self._encrypt(where.astype(np.uint64))
        while len(beyond := np.flatnonzero(found >= self.count)):
            found[beyond] = self._encrypt(found[beyond])
        return found.astype(np.int64)

    def _encrypt(self, number: NDArray[np.uint64]) -> NDArray[np.uint64]:
        mask, half = np.uint64(2**self.half - 1), np.uint64(self.half)
        left, right = number >> half, number & mask
        for key in self.keys:
            mixed = (right ^ key) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        return (left << half) | right


class Part:
    """A stretch of a random order: what is fitted, or what is held out, without a list of it."""

    def __init__(self, order: Shuffled, start: int, stop: int):
        self.order, self.start, self.stop = order, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, where: slice | Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " _"]:
        if isinstance(where, slice):
            where = np.arange(*where.indices(len(self)))
        return self.order[self.start + where]


Indices = Int64[np.ndarray, " _"] | Part
"""Flat indices of samples, in a list or as they are computed."""


def shuffled(
    signal: Signal,
    size: int | None,
    *,
    indices: Indices | None = None,
    seed: int = 0,
    like: Tensor = SINGLE,
) -> Sampler:
    """Mini-batches without replacement, in an order drawn anew for each pass over the samples.

    Args:
        signal: where the samples come from.
        size: samples in a batch; None, or as many as there are, for all of them in their order.
        indices: the (flat) samples to draw from; all of them unless given.
        seed: of the order.
        like: a tensor on the device and of the type that the targets get.
    """
    count = signal.size if indices is None else len(indices)
    if size is None or size >= count:
        everything = take(signal, np.arange(count) if indices is None else indices[:], like)
        return lambda step: everything
    passes = count // size

    def batch(step: int) -> Batch:
        epoch, part = divmod(step, passes)
        drawn = Shuffled(count, (seed, epoch))[part * size : (part + 1) * size]
        return take(signal, drawn if indices is None else indices[drawn], like)

    return batch


def jittered(sampler: Sampler, axis: int, width: float, *, seed: int = 0) -> Sampler:
    """Points moved along an axis by up to half a width either way, at random and anew at each step."""

    def batch(step: int) -> Batch:
        drawn = sampler(step)
        moved = drawn.x.clone()
        random = np.random.default_rng((seed, step, 3, axis)).random(len(moved)) - 0.5
        moved[:, axis] += torch.from_numpy(width * random).to(moved)
        return drawn._replace(x=moved)

    return batch


def pieces(
    signal: Signal,
    size: int,
    *,
    indices: Indices | None = None,
    like: Tensor = SINGLE,
) -> Iterator[Batch]:
    """All samples once, in their order, `size` at a time."""
    count = signal.size if indices is None else len(indices)
    for start in range(0, count, size):
        part = np.arange(start, min(start + size, count))
        yield take(signal, part if indices is None else indices[part], like)


def take(signal: Signal, index: Int64[np.ndarray, " n"], like: Tensor = SINGLE) -> Batch:
    """The samples with these flat indices, on the device and with targets of the type of `like`."""
    x, values = signal.at(index)
    target = (values - signal.header.middle) / signal.header.half_range
    return Batch(torch.from_numpy(x).to(like.device), torch.from_numpy(target).to(like))


def grid(domain: Domain, shape: Sequence[int]) -> Sampler:
    """The centres of `shape` equal cells of a domain, the same at each step."""
    axes = np.meshgrid(*domain.centres(shape), indexing="ij")
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


def growing(sampler: Sampler, axis: int, start: float, steps: int, *, least: float = 0.1) -> Sampler:
    """Points of a window that grows along an axis from where it starts, to the whole after so many steps.

    Where causes come before effects, what is early is learnt before what follows from it.

    Source: Sitzmann et al. 2020, supplement; Wang, Sankaran and Perdikaris, "Respecting causality is all you need for
    training physics-informed neural networks", 2022.
    """

    if steps < 1:
        raise InputError(f"a window grows over one step or more; found {steps}")

    def batch(step: int) -> Batch:
        drawn = sampler(step)
        x = drawn.x.clone()
        x[:, axis] = start + (x[:, axis] - start) * min(max(step / steps, least), 1.0)
        return drawn._replace(x=x)

    return batch


def held(sampler: Sampler, every: int) -> Sampler:
    """The same batch for so many steps, as an optimiser needs that remembers the last ones (L-BFGS)."""
    if every < 1:
        raise InputError(f"a batch is held for one step or more; found {every}")
    return lambda step: sampler(step // every)


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
    domain, half = region.box, max(region.box.half)
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
    places = torch.from_numpy(points)
    directions = None if normals is None else torch.from_numpy(normals)

    def batch(step: int) -> Batch:
        index = torch.from_numpy(np.random.default_rng((seed, step)).integers(0, len(points), size))
        return Batch(places[index], normal=None if directions is None else directions[index])

    return batch


def around(
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


def split(signal: Signal, holdout: float, seed: int) -> tuple[Indices | None, Indices | None]:
    """The samples to fit and a random share of them to keep out, as flat indices; None for all and for none.

    Raises:
        InputError: unless 0 ≤ holdout < 1, or if nothing is left on one side.
    """
    if not 0 <= holdout < 1:
        raise InputError(f"holdout must be a share of the samples, from 0 up to but not including 1; it is {holdout}")
    if holdout == 0:
        return None, None
    count = round(holdout * signal.size)
    if not 0 < count < signal.size:
        raise InputError(f"holdout {holdout} of {signal.size} samples leaves nothing to fit or to judge by")
    order = Shuffled(signal.size, (seed, 0x5EED))
    return Part(order, count, signal.size), Part(order, 0, count)
