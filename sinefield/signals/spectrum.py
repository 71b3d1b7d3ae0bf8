"""How fast a signal varies, from the spectrum of its samples, or from the slopes between scattered ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinefield.signals.signal import Signal

LINES, LONGEST = 256, 16_384
"""So many lines along an axis, each of at most so many samples, speak for the whole signal."""

PLANES, RIDGE = 4096, 1e-2
"""Slopes are taken at so many scattered samples. Across a track its samples have no spread by which to tell a slope; so
much of their mean spread is added in every direction, so that it comes out small there, and not large.
"""


def characteristic_frequency(signal: Signal, share: float = 1 / 16, above: float = 0.0) -> NDArray[np.float64]:
    """The angular frequency along each axis, per unit of coordinate, below which a share of the slope's power lies.

    The power of the slope is that of the signal times the frequency's square: in a picture, whose power falls as
    1/frequency², every octave up to the sampling rate counts; a sound that was sampled far above its pitch has a
    slope of its pitch. Of scattered samples it is the rms slope over the rms deviation from the mean, whatever the
    share; for a sinusoid both are its frequency.

    Args:
        signal: on a grid, or scattered.
        share: of the slope's power.
        above: count only what is so many times the median of the power: white noise is even.

    >>> from sinefield.signals import from_array
    >>> pace(from_array(np.sin(0.5 * np.arange(300)), step=(0.1,))).round().tolist()  # 0.5 rad a sample
    [5.0]
    """
    if signal.coords is not None:
        return _rms_frequency(signal, signal.coords)
    found = np.zeros(signal.header.domain.dim)
    for axis, (n, step) in enumerate(zip(signal.header.shape, signal.header.step, strict=True)):
        if n > 1 and (power := _power(signal, axis)).any():
            frequency = np.pi / step * np.arange(len(power)) / len(power)
            below = np.cumsum(frequency**2 * np.where(power >= above * np.median(power), power, 0))
            found[axis] = np.interp(share * below[-1], below, frequency)
    return found


def _power(signal: Signal, axis: int) -> NDArray[np.float64]:
    """The power of the cosines along an axis, over all channels and a part of the lines."""
    from scipy.fft import dct

    n = signal.header.shape[axis]
    size, across = min(n, LONGEST), tuple(m for k, m in enumerate(signal.header.shape) if k != axis)
    starts = np.linspace(0, n - size, min(LINES, -(-n // size))).astype(int)
    count = int(np.prod(across))
    chosen = np.linspace(0, count - 1, min(max(LINES // len(starts), 1), count)).astype(int)
    coords = list(np.unravel_index(chosen, across)) if across else []
    lines = np.moveaxis(signal.values, axis, -2)[tuple(coords)].reshape(-1, n, signal.header.out_dim)
    power = np.zeros(size)
    for start in starts:
        block = lines[:, start : start + size].astype(np.float64)
        power += np.square(dct((block - block.mean(axis=1, keepdims=True)) / signal.header.half_range, axis=1)).sum(
            axis=(0, 2)
        )
    return power


def _rms_frequency(signal: Signal, coords: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rms slope along each axis over the rms deviation, from planes through samples and their neighbours."""
    from scipy.spatial import cKDTree

    domain, dim = signal.header.domain, signal.header.domain.dim
    x = (coords - domain.center) / domain.half_extent
    # one sample of each place, by a number that tells places apart and is sorted sooner than they are
    labels = np.random.default_rng(0).random(dim)
    _, own = np.unique(sum(x[:, k] * labels[k] for k in range(dim)), return_index=True)
    x = x[own]
    drawn = np.random.default_rng(0).choice(len(x), min(len(x), PLANES), replace=False)
    _, near = cKDTree(x, balanced_tree=False).query(x[drawn], min(2 * dim + 3, len(x)))
    values = signal.values[own[near]] / signal.header.half_range
    offset, rise = x[near] - x[near].mean(axis=1, keepdims=True), values - values.mean(axis=1, keepdims=True)
    across = offset.swapaxes(1, 2)
    spread = across @ offset
    spread += (RIDGE / dim * np.trace(spread, axis1=1, axis2=2) + 1e-300)[:, None, None] * np.eye(dim)
    inverse = np.linalg.inv(spread)
    slope = inverse @ (across @ rise)
    # noise tilts a plane by so much in the mean, as its residuals tell
    noise = np.square(rise - offset @ slope).sum(axis=1) / max(near.shape[1] - 1 - dim, 1)
    square = np.square(slope) - np.einsum("mkk->mk", inverse)[:, :, None] * noise[:, None]
    deviation = (signal.values[own[drawn]] / signal.header.half_range).var(axis=0).sum()
    return np.asarray(np.sqrt(square.mean(axis=0).sum(axis=-1).clip(0) / (deviation or np.inf)) / domain.half_extent)
