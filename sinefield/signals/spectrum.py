"""Characteristic frequency of a signal: from the spectrum of a grid, or from slopes between scattered samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinefield.signals.signal import Signal

LINES = 256
"""Largest number of lines along an axis whose spectra are averaged."""

LONGEST = 16_384
"""Largest number of samples in a line."""

PLANES = 4096
"""Largest number of scattered samples at which slopes are estimated."""

RIDGE = 1e-2
"""Ridge regularization of the slope estimate, relative to the mean squared distance of the neighbors.

Where samples lie along a track, the slope across it is undetermined; regularization makes its estimate small.
"""


def characteristic_frequency(signal: Signal, share: float = 1 / 16, above: float = 0.0) -> NDArray[np.float64]:
    """Estimate the angular frequency of a signal along each axis, in radians per unit of the coordinate.

    On a grid, it is the frequency below which the given share of the power of the slope lies. The power of the slope is
    ω² times the power of the signal. In a picture, whose power falls as 1/ω², every octave up to the sampling rate
    contributes; a sound sampled far above its pitch has the slope of its pitch. For scattered samples, it is the
    root-mean-square slope divided by the standard deviation of the values, independent of the share. Both definitions
    give the frequency of a sinusoid.

    Args:
        signal: Signal on a grid or at scattered points.
        share: Share of the power of the slope.
        above: Threshold for the power, as a multiple of its median; lower power is ignored as white noise.

    Returns:
        Angular frequency along each axis (d,).

    >>> from sinefield.signals import from_array
    >>> signal = from_array(np.sin(0.5 * np.arange(300)), step=(0.1,))  # 0.5 radians per sample
    >>> characteristic_frequency(signal).round().tolist()
    [5.0]
    """
    if signal.coords is not None:
        return _rms_frequency(signal, signal.coords)
    result = np.zeros(signal.header.domain.dim)
    for axis, (n, step) in enumerate(zip(signal.header.shape, signal.header.step, strict=True)):
        if n > 1 and (power := _power(signal, axis)).any():
            frequency = np.pi / step * np.arange(len(power)) / len(power)
            below = np.cumsum(frequency**2 * np.where(power >= above * np.median(power), power, 0))
            result[axis] = np.interp(share * below[-1], below, frequency)
    return result


def _power(signal: Signal, axis: int) -> NDArray[np.float64]:
    """The power of each cosine along an axis, summed over the channels and a subset of the lines."""
    from scipy.fft import dct

    n = signal.header.shape[axis]
    size, across = min(n, LONGEST), tuple(m for k, m in enumerate(signal.header.shape) if k != axis)
    starts = np.linspace(0, n - size, min(LINES, -(-n // size))).astype(int)
    count = int(np.prod(across))
    chosen = np.linspace(0, count - 1, min(max(LINES // len(starts), 1), count)).astype(int)
    indices = list(np.unravel_index(chosen, across)) if across else []
    lines = np.moveaxis(signal.values, axis, -2)[tuple(indices)].reshape(-1, n, signal.header.out_dim)
    power = np.zeros(size)
    for start in starts:
        block = lines[:, start : start + size].astype(np.float64)
        deviation = (block - block.mean(axis=1, keepdims=True)) / signal.header.half_range
        power += np.square(dct(deviation, axis=1)).sum(axis=(0, 2))
    return power


def _rms_frequency(signal: Signal, coords: NDArray[np.float64]) -> NDArray[np.float64]:
    """The root-mean-square slope along each axis over the standard deviation of the values.

    Slopes are those of planes fitted to samples and their nearest neighbors.
    """
    from scipy.spatial import cKDTree

    domain, dim = signal.header.domain, signal.header.domain.dim
    x = (coords - domain.center) / domain.half_extent
    # repeated points are found by a random projection, which is faster to sort than rows
    projection = np.random.default_rng(0).random(dim)
    _, unique = np.unique(sum(x[:, k] * projection[k] for k in range(dim)), return_index=True)
    x = x[unique]
    chosen = np.random.default_rng(0).choice(len(x), min(len(x), PLANES), replace=False)
    _, near = cKDTree(x, balanced_tree=False).query(x[chosen], min(2 * dim + 3, len(x)))
    values = signal.values[unique[near]] / signal.header.half_range
    offset, rise = x[near] - x[near].mean(axis=1, keepdims=True), values - values.mean(axis=1, keepdims=True)
    transposed = offset.swapaxes(1, 2)
    gram = transposed @ offset
    gram += (RIDGE / dim * np.trace(gram, axis1=1, axis2=2) + 1e-300)[:, None, None] * np.eye(dim)
    inverse = np.linalg.inv(gram)
    slope = inverse @ (transposed @ rise)
    # noise adds its variance, estimated from the residuals, times the diagonal of the inverse to the squared slope
    noise = np.square(rise - offset @ slope).sum(axis=1) / max(near.shape[1] - 1 - dim, 1)
    square = np.square(slope) - np.einsum("mkk->mk", inverse)[:, :, None] * noise[:, None]
    variance = (signal.values[unique[chosen]] / signal.header.half_range).var(axis=0).sum()
    return np.asarray(np.sqrt(square.mean(axis=0).sum(axis=-1).clip(0) / (variance or np.inf)) / domain.half_extent)
