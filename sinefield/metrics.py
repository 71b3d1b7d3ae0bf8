"""How close a field comes to the truth."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def psnr(mse: float, peak: float = 2.0) -> float:
    """Peak signal-to-noise ratio in dB, 10 log₁₀(peak² / mse); the peak of a signal on [-1, 1] is 2.

    >>> round(psnr(0.04), 6)
    20.0
    """
    if mse == 0:
        return math.inf
    return 10 * math.log10(peak**2 / mse) if mse < math.inf else -math.inf


def ssim(reference: Array, estimate: Array, peak: float) -> float | None:
    """Structural similarity of two pictures (height, width, channels), with scikit-image's defaults.

    None for a picture smaller than its window of 7 × 7.
    """
    from skimage.metrics import structural_similarity

    if min(reference.shape[:2]) < 7:
        return None
    return float(
        structural_similarity(reference.astype(float), estimate.astype(float), data_range=peak, channel_axis=-1)
    )
