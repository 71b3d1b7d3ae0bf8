"""Domains of coordinates in the user's units: boxes, and regions inside them."""

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
    """A box in the user's coordinates, with the affine map from it to the network's coordinates in [-1, 1]ᵈ.

    Coordinate k is mapped by xₖ ↦ (xₖ - centerₖ) / half_extentₖ. `box` gives all axes with the same (non-empty) unit
    the half extent of the longest of them, which preserves the aspect ratio; `stretched` scales each axis separately.

    Attributes:
        lower: Lower bound of each axis, in the unit of the axis.
        upper: Upper bound of each axis, in the unit of the axis.
        axes: Name of each axis, such as ("y", "x").
        units: Unit of each axis, such as ("px", "px"); "" for an axis without a unit.
        half_extent: Length that is mapped to 1, for each axis.

    Raises:
        InputError: If the attributes differ in length, a bound is not finite, or a lower bound is not smaller than
            the upper bound.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    axes: tuple[str, ...]
    units: tuple[str, ...]
    half_extent: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = [len(part) for part in (self.lower, self.upper, self.axes, self.units, self.half_extent)]
        if not self.lower or len(set(lengths)) > 1:
            raise InputError(
                "lower, upper, axes, units and half_extent must have the same length, at least 1; "
                f"their lengths are {', '.join(map(str, lengths))}"
            )
        numbers = (*self.lower, *self.upper, *self.half_extent)
        if not all(math.isfinite(number) for number in numbers):
            raise InputError(f"the bounds of a domain must be finite; they are {self.lower} and {self.upper}")
        for name, low, high, half in zip(self.axes, self.lower, self.upper, self.half_extent, strict=True):
            if not low < high:
                raise InputError(
                    f"the lower bound of axis {name!r} must be smaller than the upper bound; they are {low:g}, {high:g}"
                )
            if not half > 0:
                raise InputError(f"the half extent of axis {name!r} must be positive; it is {half:g}")

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.lower)

    @property
    def center(self) -> tuple[float, ...]:
        """Center of the box."""
        return tuple((low + high) / 2 for low, high in zip(self.lower, self.upper, strict=True))

    def centers(self, shape: Sequence[int]) -> list[Float64[np.ndarray, " _"]]:
        """Return the coordinates of the centers of a grid of `shape` equal cells, as one array per axis."""
        return [
            low + (np.arange(n) + 0.5) * ((high - low) / n)
            for low, high, n in zip(self.lower, self.upper, shape, strict=True)
        ]


@dataclass(frozen=True)
class Region:
    """The part of a box where a signed distance function is negative.

    Attributes:
        box: Box that encloses the region.
        distance: Function from points (n, d) to signed distances (n, 1) or (n,), such as a fitted shape or any PyTorch
            function: negative inside, zero on the boundary, with a gradient of norm near 1 close to the boundary.

    >>> ring = Region(box((-2, -2), (2, 2)), lambda x: (x.norm(dim=1) - 1.5).abs() - 0.5)
    >>> ring.inside(torch.tensor([[1.5, 0.0], [0.5, 0.0]])).tolist()
    [True, False]
    """

    box: Domain
    distance: Callable[[Tensor], Tensor]

    def inside(self, x: Tensor) -> Tensor:
        """Return a boolean mask (n,) of the points x (n, d) that lie inside the region."""
        with torch.no_grad():
            return self.distance(x).reshape(-1) < 0

    def slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signed distance (n,) at the points x (n, d), and its gradient (n, d)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            distance = self.distance(x).reshape(-1)
            (gradient,) = torch.autograd.grad(distance.sum(), x)
        return distance.detach(), gradient


def box(
    lower: Sequence[float],
    upper: Sequence[float],
    axes: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
) -> Domain:
    """Create a domain from its lower and upper corner.

    Args:
        lower: Lower bound of each axis.
        upper: Upper bound of each axis.
        axes: Name of each axis (default: x0, x1, …).
        units: Unit of each axis (default: none). Axes with the same unit share one scale.

    Raises:
        InputError: If the arguments differ in length or a lower bound is not smaller than the upper bound.

    >>> box((0, 0), (10, 40), axes=("y", "x"), units=("m", "m")).half_extent
    (20.0, 20.0)
    >>> box((0, 0), (10, 40), axes=("t", "x"), units=("s", "m")).half_extent
    (5.0, 20.0)
    """
    axes = tuple(axes) if axes is not None else tuple(f"x{k}" for k in range(len(lower)))
    units = tuple(units) if units is not None else ("",) * len(axes)
    # not strict: Domain reports arguments of different lengths
    own = [(float(high) - float(low)) / 2 for low, high in zip(lower, upper, strict=False)]
    half_extent = tuple(
        max(half for half, other in zip(own, units, strict=False) if other == unit) if unit else own_half
        for own_half, unit in zip(own, units, strict=False)
    )
    return Domain(tuple(map(float, lower)), tuple(map(float, upper)), axes, units, half_extent)


def from_samples(
    shape: Sequence[int],
    origin: Sequence[float] | None = None,
    step: Sequence[float] | None = None,
    axes: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
) -> Domain:
    """Create the domain of a regular grid, in which each sample lies at the center of its cell.

    Sample i of axis k has the coordinate originₖ + i · stepₖ.

    Args:
        shape: Number of samples along each axis.
        origin: Coordinates of the first sample (default: 0 on each axis).
        step: Distance between neighboring samples along each axis (default: 1).
        axes: Name of each axis (default: x0, x1, …).
        units: Unit of each axis (default: "sample").

    Raises:
        InputError: If a step is not positive.

    >>> from_samples((3,)).lower, from_samples((3,)).upper
    ((-0.5,), (2.5,))
    """
    origin = origin if origin is not None else (0.0,) * len(shape)
    step = step if step is not None else (1.0,) * len(shape)
    units = units if units is not None else ("sample",) * len(shape)
    if not all(h > 0 for h in step):
        raise InputError(f"the step between samples must be positive along every axis; it is {tuple(step)}")
    lower = [o - h / 2 for o, h in zip(origin, step, strict=True)]
    upper = [o + (n - 0.5) * h for o, h, n in zip(origin, step, shape, strict=True)]
    return box(lower, upper, axes, units)


def stretched(domain: Domain, shape: Sequence[int], to: float = 1.0) -> Domain:
    """Rescale each axis separately, so that the network's coordinates of its samples run from -to to `to`.

    This is the grid of the official SIREN code. `from_samples` maps the outer edges of the outer cells to ±1 instead.

    Args:
        domain: Domain of the samples.
        shape: Number of samples along each axis.
        to: Network coordinate of the last sample of each axis.

    Returns:
        The same box with other half extents.
    """
    half_extent = tuple(
        (high - low) / (2 * to) * (max(n - 1, 1) / n)
        for low, high, n in zip(domain.lower, domain.upper, shape, strict=True)
    )
    return Domain(domain.lower, domain.upper, domain.axes, domain.units, half_extent)


def ball(
    center: Sequence[float], radius: float, axes: Sequence[str] | None = None, units: Sequence[str] | None = None
) -> Region:
    """Create the region ‖x - center‖ < radius: a ball, or a disc in the plane.

    Args:
        center: Coordinates of the center.
        radius: Radius, in the unit of the coordinates.
        axes: Name of each axis (default: x0, x1, …).
        units: Unit of each axis (default: none).

    Raises:
        InputError: If the radius is not positive.

    >>> ball((1.0, 2.0), 0.5).box.lower
    (0.5, 1.5)
    """
    if not radius > 0:
        raise InputError(f"the radius of a ball must be positive; it is {radius}")
    middle = np.asarray(center, dtype=np.float64)
    bounds = box((middle - radius).tolist(), (middle + radius).tolist(), axes, units)
    return Region(bounds, lambda x: (x - x.new_tensor(center)).norm(dim=-1) - radius)
