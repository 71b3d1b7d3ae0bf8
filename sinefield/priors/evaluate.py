"""Errors of inpainting, beside interpolation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinefield.errors import InputError
from sinefield.priors.data import ImageDataset, contexts, values_of
from sinefield.priors.meta_learning import fitted
from sinefield.priors.prior import Prior, grid

AT_ONCE = 128
"""Pictures that are judged together."""


def errors(
    prior: Prior,
    dataset: ImageDataset,
    indices: NDArray[np.int64],
    count: int,
    *,
    refine: int | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """The mean squared error on [-1, 1] over all pixels of some pictures (n,), of which so many random ones are seen.

    A meta-learned start takes as many steps as it learned with.
    """
    device, x, found = prior.middle.device, grid(dataset.size), []
    for some in _groups(indices):
        reference, seen = values_of(dataset, some), _seen(dataset, some, count, seed)
        coords, values = (
            x[seen].to(device),
            reference.gather(1, seen[..., None].expand(-1, -1, dataset.channels)).to(device),
        )
        with torch.no_grad():
            if prior.start is not None:
                made = fitted(prior.start, coords, values)(x.to(device))
            else:
                made = prior(prior.infer(coords, values, refine), x.to(device))
        found.append((made.cpu() - reference).square().mean(dim=(1, 2)).double().numpy())
    return np.concatenate(found)


def interpolation_errors(
    method: str, dataset: ImageDataset, indices: NDArray[np.int64], count: int, *, seed: int = 0
) -> NDArray[np.float64]:
    """What `errors` gives, of scipy's interpolation of the same pixels, clipped to [-1, 1].

    Args:
        method: "nearest", the value of the nearest pixel that is seen, or "rbf", thin plates.
    """
    from scipy.interpolate import NearestNDInterpolator, RBFInterpolator

    if method not in ("nearest", "rbf"):
        raise InputError(f"there is no interpolation {method!r}; choose from nearest, rbf")
    x, found = grid(dataset.size).double().numpy(), []
    for some in _groups(indices):
        pictures, chosen = values_of(dataset, some).double().numpy(), _seen(dataset, some, count, seed).numpy()
        for picture, seen in zip(pictures, chosen, strict=True):
            at, known = x[seen], picture[seen]
            # three points are what a thin plate needs
            plain = method == "nearest" or len(seen) < 3
            guess = NearestNDInterpolator(at, known)(x) if plain else RBFInterpolator(at, known)(x)
            found.append(np.square(np.clip(guess, -1, 1) - picture).mean())
    return np.array(found)


def _groups(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [indices[start : start + AT_ONCE] for start in range(0, len(indices), AT_ONCE)]


def _seen(dataset: ImageDataset, some: NDArray[np.int64], count: int, seed: int) -> Tensor:
    return contexts(len(some), dataset.size**2, count, (seed, int(some[0])))
