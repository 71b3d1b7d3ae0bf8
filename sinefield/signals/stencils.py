"""Finite-difference derivatives of samples on a grid."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.signals.signal import Header, Signal, check_finite

Array = NDArray[Any]

Stencil = Callable[[Array, int], Array]
"""Function of values (*shape, channels) and an axis that returns the derivative, for a step of 1."""


def estimate_gradient(signal: Signal, stencil: str = "sobel") -> Signal:
    """Estimate the gradient ∂/∂xₖ of a signal, per unit of the coordinates.

    Args:
        signal: Signal on a regular grid.
        stencil: "sobel" (the paper's, smoothed along the other axes), "central" (second order) or "fourth" (fourth
            order).

    Returns:
        Signal with c · d channels, whose value range is [-r/2, r/2] for values that span r.

    Raises:
        InputError: The stencil is unknown.

    >>> from sinefield.signals import from_array
    >>> slope = estimate_gradient(from_array(np.arange(6.0).reshape(2, 3)), "central")
    >>> slope.values[0, 1].tolist()
    [1.5, 1.0]
    """
    parts = [
        _pick(_GRADIENTS, stencil)(signal.values.astype(np.float64), axis) / step
        for axis, step in enumerate(signal.header.step)
    ]
    values = np.stack(parts, axis=-1)
    return _derived(signal, values.reshape(*values.shape[:-2], -1), f"gradient of {signal.name}")


def estimate_laplacian(signal: Signal, stencil: str = "cross") -> Signal:
    """Estimate the Laplacian Σₖ ∂²/∂xₖ² of a signal, per squared unit of the coordinates.

    Args:
        signal: Signal on a regular grid.
        stencil: "cross" (the paper's, second order) or "fourth" (fourth order).

    Returns:
        Signal with c channels, whose value range is [-r/2, r/2] for values that span r.

    Raises:
        InputError: The stencil is unknown.
    """
    parts = [
        _pick(_SECOND_DERIVATIVES, stencil)(signal.values.astype(np.float64), axis) / step**2
        for axis, step in enumerate(signal.header.step)
    ]
    return _derived(signal, np.sum(parts, axis=0), f"Laplacian of {signal.name}")


def differences(signal: Signal, axis: int) -> Signal:
    """Return the differences of neighbors along an axis, per unit of the coordinate, at the points halfway between.

    Args:
        signal: Signal on a regular grid.
        axis: Axis of the differences.

    >>> from sinefield.signals import from_array
    >>> slope = differences(from_array(np.array([0.0, 1.0, 4.0]), origin=(10,), step=(0.5,)), 0)
    >>> slope.samples.tolist(), slope.header.domain.lower, slope.header.step
    ([[2.0], [6.0]], (10.0,), (0.5,))
    """
    domain, step = signal.header.domain, signal.header.step[axis]
    margin = tuple(step / 2 if k == axis else 0.0 for k in range(domain.dim))
    halfway = replace(
        domain,
        lower=tuple(map(operator.add, domain.lower, margin)),
        upper=tuple(map(operator.sub, domain.upper, margin)),
    )
    values = np.diff(signal.values.astype(np.float64), axis=axis) / step
    return _derived(signal, values, f"differences of {signal.name}", halfway)


def weighted_sum(one: Signal, other: Signal, share: float) -> Signal:
    """Return share · one + (1 - share) · other for two signals on the same grid."""
    values = share * one.values.astype(np.float64) + (1 - share) * other.values
    return _derived(one, values, f"mix of {one.name} and {other.name}")


def line_integrals(gradient: Signal, dim: int) -> list[Signal]:
    """Integrate a gradient along each axis from the first sample, by the trapezoidal rule.

    Along a line of axis k, Φ(b) - Φ(a) = ∫ ∂ₖΦ, so the integrals give differences between distant points.

    Args:
        gradient: Signal with c · d channels, as `estimate_gradient` returns it.
        dim: Number of axes d.

    Returns:
        Signal with c channels for each axis.
    """
    values = gradient.values.reshape(*gradient.header.shape, -1, dim)
    parts = []
    for axis, step in enumerate(gradient.header.step):
        along = np.moveaxis(values[..., axis], axis, 0) * step
        total = np.zeros_like(along)
        np.cumsum((along[1:] + along[:-1]) / 2, axis=0, out=total[1:])
        parts.append(np.moveaxis(total, 0, axis))
    widest = max(float(np.ptp(part)) for part in parts)
    return [_derived(gradient, part, f"integrals of {gradient.name}", span=widest) for part in parts]


def _derived(
    signal: Signal, values: Array, name: str, domain: Domain | None = None, span: float | None = None
) -> Signal:
    """A signal whose channels have the range [-span/2, span/2]; the default is the span of the values."""
    check_finite(values, name)
    half = (float(np.ptp(values)) if span is None else span) / 2 or 1.0
    channels = tuple(f"c{k}" for k in range(values.shape[-1]))
    header = Header(
        "array",
        domain or signal.header.domain,
        values.shape[:-1],
        channels,
        "float64",
        (-half,) * len(channels),
        (half,) * len(channels),
    )
    return Signal(values, header, name)


def _pick(stencils: dict[str, Stencil], name: str) -> Stencil:
    if name not in stencils:
        raise InputError(f"unknown stencil {name!r}; choose from {', '.join(stencils)}")
    return stencils[name]


def _sobel(values: Array, axis: int) -> Array:
    """Central differences smoothed by (1, 2, 1)/4 along the other axes; the filter of SciPy is 2 · 4ᵈ⁻¹ times that."""
    from scipy.ndimage import sobel

    dim = values.ndim - 1
    parts = [sobel(values[..., channel], axis=axis) for channel in range(values.shape[-1])]
    smoothed: Array = np.stack(parts, axis=-1) / (2 * 4 ** (dim - 1))
    return smoothed


def _correlation(weights: list[float]) -> Stencil:
    """The stencil with these weights along the axis."""

    def apply(values: Array, axis: int) -> Array:
        from scipy.ndimage import correlate1d

        return np.asarray(correlate1d(values, weights, axis=axis, mode="reflect"))

    return apply


_GRADIENTS: dict[str, Stencil] = {
    "sobel": _sobel,
    "central": _correlation([-1 / 2, 0, 1 / 2]),
    "fourth": _correlation([1 / 12, -2 / 3, 0, 2 / 3, -1 / 12]),
}
_SECOND_DERIVATIVES: dict[str, Stencil] = {
    "cross": _correlation([1, -2, 1]),
    "fourth": _correlation([-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12]),
}
