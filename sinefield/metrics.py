"""Metrics of image quality: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 7
"""Side of the square window of `ssim` in pixels."""


def psnr(mse: float, peak: float = 2.0) -> float:
    """Return the peak signal-to-noise ratio in dB, 10 log₁₀(peak² / mse).

    Args:
        mse: Mean squared error.
        peak: Range of the signal (default: 2, for a signal in [-1, 1]).

    >>> round(psnr(0.04), 6)
    20.0
    """
    if mse == 0:
        return math.inf
    return 10 * math.log10(peak**2 / mse) if mse < math.inf else -math.inf


def ssim(reference: NDArray[Any], estimate: NDArray[Any], peak: float) -> float | None:
    """Return the structural similarity of two pictures, averaged over pixels and channels.

    The window is uniform, 7 x 7 pixels; K₁ = 0.01, K₂ = 0.03. The result is that of
    `skimage.metrics.structural_similarity` with default options.

    Args:
        reference: Picture of shape (height, width, channels).
        estimate: Picture of the same shape.
        peak: Range of the pixel values, such as 255 for 8 bits.

    Returns:
        A number up to 1; None for a picture smaller than the window.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.
    """
    if min(reference.shape[:2]) < WINDOW:
        return None
    channels = zip(np.moveaxis(reference, -1, 0), np.moveaxis(estimate, -1, 0), strict=True)
    return float(np.mean([_ssim_channel(x.astype(float), y.astype(float), peak) for x, y in channels]))


def _ssim_channel(x: NDArray[Any], y: NDArray[Any], peak: float) -> float:
    from scipy.ndimage import uniform_filter

    pixels = WINDOW**2
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (uniform_filter(z, WINDOW) for z in (x, y, x * x, y * y, x * y))
    var_x, var_y, cov_xy = (
        pixels / (pixels - 1) * z
        for z in (mean_xx - mean_x * mean_x, mean_yy - mean_y * mean_y, mean_xy - mean_x * mean_y)
    )
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * cov_xy + c2)
    similarity = numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    inner = slice(WINDOW // 2, -(WINDOW // 2))  # pixels whose window lies inside the picture
    return float(similarity[inner, inner].mean())
