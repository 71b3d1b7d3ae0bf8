"""Derivatives as greys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain
from sinefield.field.field import Field

Array = NDArray[Any]

COARSE = 2**18
"""So many points of a field, at most, say how bright its greys are."""


def magnitude(gradient: Array, dim: int = 2) -> Array:
    """|∇Φ| of (…, d) or (…, c, d): over all channels together."""
    grid = gradient.shape[:dim]
    squares: Array = np.square(gradient.astype(np.float64)).reshape(*grid, -1).sum(-1)
    return np.sqrt(squares)


def signed(derivative: Array, dim: int = 2) -> Array:
    """A Laplacian, or the derivative along an axis, (…[, c]) with its channels averaged."""
    return derivative if derivative.ndim == dim else derivative.mean(-1)


def limit(values: Array) -> float:
    """The 99.9th percentile of the absolute values: a few outliers must not darken a picture."""
    return float(np.quantile(np.abs(values), 0.999))


def to_grayscale(values: Array, quantity: str, most: float | None = None, dim: int = 2) -> Array:
    """A derivative as 8 bits: |∇Φ| with black for none, or any other with mid-grey for zero; white is `most`.

    `most` is their `limit` unless given.
    """
    shown = magnitude(values, dim) if quantity == "gradient" else signed(values, dim)
    share = shown / ((limit(shown) if most is None else most) or 1)
    share = share if quantity == "gradient" else share / 2 + 0.5
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def grays(
    field: Field,
    domain: Domain,
    shape: tuple[int, ...],
    quantity: str,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Array]:
    """A derivative of a field on a grid in greys, in consecutive pieces."""
    fine = max((np.prod(shape) / COARSE) ** (1 / len(shape)), 1.0)
    coarse = tuple(max(int(n / fine), 1) for n in shape)
    seen = np.concatenate(list(field.stream(domain, coarse, quantity=quantity)))
    most = limit(magnitude(seen, 1) if quantity == "gradient" else signed(seen, 1))
    for piece in field.stream(domain, shape, quantity=quantity, progress=progress):
        yield to_grayscale(piece, quantity, most, 1)
