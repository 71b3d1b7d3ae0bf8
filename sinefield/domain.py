"""Where coordinates live, in the user's own units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sinefield.errors import InputError


@dataclass(frozen=True)
class Domain:
    """A box in the user's own coordinates, and the affine map from it to the network's [-1, 1]ᵈ.

    Coordinate k of a point x goes to (xₖ - centreₖ) / halfₖ. Axes that share a (non-empty) unit share the
    scale of the longest of them, so that a metre is a metre in every direction and a long picture is not squeezed;
    `stretched` gives each axis its own scale instead.

    Attributes:
        lower, upper: the two corners, in units of each axis.
        axes: the name of each axis, such as ("y", "x").
        units: the unit of each axis, such as ("px", "px"); "" where there is none.
        half_extent: what is mapped to a length of 1, per axis.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    axes: tuple[str, ...]
    units: tuple[str, ...]
    half_extent: tuple[float, ...]

    def __post_init__(self) -> None:
        if (
            not self.lower
            or len({len(part) for part in (self.lower, self.upper, self.axes, self.units, self.half_extent)}) > 1
        ):
            raise InputError("a domain needs lower, upper, axes, units and half_extent of one length, at least 1")
        numbers = (*self.lower, *self.upper, *self.half_extent)
        if not all(math.isfinite(number) for number in numbers):
            raise InputError("a domain's bounds must be finite numbers")
        for name, low, high, half in zip(self.axes, self.lower, self.upper, self.half_extent, strict=True):
            if not (low < high and half > 0):
                raise InputError(f"axis {name!r} goes from {low:g} to {high:g}; the first must be the smaller")

    @property
    def dim(self) -> int:
        return len(self.lower)

    @property
    def center(self) -> tuple[float, ...]:
        return tuple((low + high) / 2 for low, high in zip(self.lower, self.upper, strict=True))

    def centers(self, shape: Sequence[int]) -> list[Float64[np.ndarray, " _"]]:
        """The centres of `shape` equal cells, one array of coordinates for each axis."""
        return [
            low + (np.arange(n) + 0.5) * ((high - low) / n)
            for low, high, n in zip(self.lower, self.upper, shape, strict=True)
        ]


def box(
    lower: Sequence[float],
    upper: Sequence[float],
    axes: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
) -> Domain:
    """The domain between two corners.

    Axes are called x0, x1, … and have no unit where none is given.

    Raises:
        InputError: if the corners have different lengths or are not in order.

    >>> box((0, 0), (10, 40), axes=("y", "x"), units=("m", "m")).half_extent
    (20.0, 20.0)
    >>> box((0, 0), (10, 40), axes=("t", "x"), units=("s", "m")).half_extent
    (5.0, 20.0)
    """
    axes = tuple(axes) if axes is not None else tuple(f"x{k}" for k in range(len(lower)))
    units = tuple(units) if units is not None else ("",) * len(axes)
    own = [(float(high) - float(low)) / 2 for low, high in zip(lower, upper, strict=False)]
    shared = [
        max(half for half, other in zip(own, units, strict=False) if other == unit) if unit else half_own
        for half_own, unit in zip(own, units, strict=False)
    ]
    return Domain(tuple(map(float, lower)), tuple(map(float, upper)), axes, units, tuple(shared))


def from_samples(
    shape: Sequence[int],
    origin: Sequence[float] | None = None,
    step: Sequence[float] | None = None,
    axes: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
) -> Domain:
    """The domain of a regular grid: sample i of axis k sits at originₖ + i · stepₖ, in the middle of its cell.

    >>> from_samples((3,)).lower, from_samples((3,)).upper
    ((-0.5,), (2.5,))
    """
    origin = origin if origin is not None else (0.0,) * len(shape)
    step = step if step is not None else (1.0,) * len(shape)
    units = units if units is not None else ("sample",) * len(shape)
    if not all(h > 0 for h in step):
        raise InputError(f"the step between samples must be positive on every axis; it is {tuple(step)}")
    lower = [o - h / 2 for o, h in zip(origin, step, strict=True)]
    upper = [o + (n - 0.5) * h for o, h, n in zip(origin, step, shape, strict=True)]
    return box(lower, upper, axes, units)


def stretched(domain: Domain, shape: Sequence[int], to: float = 1.0) -> Domain:
    """The domain with the first and last of `shape` samples of every axis at -to and to: the official code's grid."""
    half = tuple(
        (high - low) / (2 * to) * (max(n - 1, 1) / n)
        for low, high, n in zip(domain.lower, domain.upper, shape, strict=True)
    )
    return Domain(domain.lower, domain.upper, domain.axes, domain.units, half)


@dataclass(frozen=True)
class Region:
    """What of a box lies where a signed distance is negative.

    Attributes:
        box: around all of it.
        distance: (n, d) ↦ (n, 1) or (n,), negative inside, zero on the border, with a slope near 1 there; such as the
            field of a shape, or any function of PyTorch.

    >>> ring = Region(box((-2, -2), (2, 2)), lambda x: (x.norm(dim=1) - 1.5).abs() - 0.5)
    >>> ring.inside(torch.tensor([[1.5, 0.0], [0.5, 0.0]])).tolist()
    [True, False]
    """

    box: Domain
    distance: Callable[[Tensor], Tensor]

    def inside(self, x: Tensor) -> Tensor:
        """Whether each of some points (n, d) is inside: (n,)."""
        with torch.no_grad():
            return self.distance(x).reshape(-1) < 0

    def slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The distance (n,) and its gradient (n, d)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            distance = self.distance(x).reshape(-1)
            (gradient,) = torch.autograd.grad(distance.sum(), x)
        return distance.detach(), gradient


def ball(
    center: Sequence[float], radius: float, axes: Sequence[str] | None = None, units: Sequence[str] | None = None
) -> Region:
    """The ball of a radius around a centre; a disc in the plane.

    Raises:
        InputError: a radius that is not positive.

    >>> ball((1.0, 2.0), 0.5).box.lower
    (0.5, 1.5)
    """
    if not radius > 0:
        raise InputError(f"the radius of a ball must be positive; it is {radius}")
    middle = np.asarray(center, dtype=np.float64)
    around = box((middle - radius).tolist(), (middle + radius).tolist(), axes, units)
    return Region(around, lambda x: (x - x.new_tensor(center)).norm(dim=-1) - radius)
