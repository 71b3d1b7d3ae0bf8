"""Errors of completed pictures, and of interpolation as the baseline."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinefield.errors import InputError
from sinefield.priors.data import ImageDataset, pixel_values, random_contexts
from sinefield.priors.meta_learning import fit_from_start
from sinefield.priors.prior import Prior, pixel_grid

CHUNK = 128
"""Pictures that are completed at once."""

INTERPOLATION_METHODS = ("nearest", "rbf")
"""Methods of `interpolation_errors`."""


def inpainting_errors(
    prior: Prior,
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    count: int,
    *,
    refine: int | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the mean squared errors on [-1, 1] of pictures that a prior completes from random pixels.

    Args:
        prior: Learned prior. A meta-learned initialization is fitted with the number of steps of its training.
        dataset: Pictures with the size and channels of the prior.
        indices: Indices of the pictures to complete, shape (n,).
        count: Number of observed pixels of each picture.
        refine: Steps of optimization of the code, as for `sinefield.inpaint`.
        seed: Seed of the observed pixels.

    Returns:
        The error of each picture over all of its pixels, shape (n,).
    """
    device, x, errors = prior.middle.device, pixel_grid(dataset.size), []
    for chunk in _chunks(indices):
        reference, seen = pixel_values(dataset, chunk), _random_pixels(dataset, chunk, count, seed)
        values = reference.gather(1, seen[..., None].expand(-1, -1, dataset.channels)).to(device)
        coords = x[seen].to(device)
        with torch.no_grad():
            if prior.start is not None:
                estimate = fit_from_start(prior.start, coords, values)(x.to(device))
            else:
                estimate = prior(prior.infer(coords, values, refine), x.to(device))
        errors.append((estimate.cpu() - reference).square().mean(dim=(1, 2)).double().numpy())
    return np.concatenate(errors)


def interpolation_errors(
    method: str, dataset: ImageDataset, indices: NDArray[np.int64], count: int, *, seed: int = 0
) -> NDArray[np.float64]:
    """Return the errors of `inpainting_errors` for SciPy's interpolation of the same pixels, clipped to [-1, 1].

    Args:
        method: "nearest" for the value of the nearest observed pixel, or "rbf" for thin-plate splines.
        dataset, indices, count, seed: As for `inpainting_errors`.

    Raises:
        InputError: The method is unknown.
    """
    from scipy.interpolate import NearestNDInterpolator, RBFInterpolator

    if method not in INTERPOLATION_METHODS:
        raise InputError(f"unknown interpolation {method!r}; choose from {', '.join(INTERPOLATION_METHODS)}")
    x, errors = pixel_grid(dataset.size).double().numpy(), []
    for chunk in _chunks(indices):
        pictures = pixel_values(dataset, chunk).double().numpy()
        masks = _random_pixels(dataset, chunk, count, seed).numpy()
        for picture, seen in zip(pictures, masks, strict=True):
            coords, values = x[seen], picture[seen]
            # a thin-plate spline needs three points
            nearest = method == "nearest" or len(seen) < 3
            interpolator = (NearestNDInterpolator if nearest else RBFInterpolator)(coords, values)
            errors.append(np.square(np.clip(interpolator(x), -1, 1) - picture).mean())
    return np.array(errors)


def _chunks(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [indices[start : start + CHUNK] for start in range(0, len(indices), CHUNK)]


def _random_pixels(dataset: ImageDataset, indices: NDArray[np.int64], count: int, seed: int) -> Tensor:
    """Return the flat indices (n, count) of the observed pixels, which depend on the seed and the first picture."""
    return random_contexts(len(indices), dataset.size**2, count, (seed, int(indices[0])))
