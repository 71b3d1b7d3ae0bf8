"""A whole picture from some of its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinefield.errors import InputError
from sinefield.field import Field
from sinefield.population import fitted
from sinefield.prior import Prior, grid, observed
from sinefield.signals import Signal, resized
from sinefield.signals.album import Album

AT_ONCE = 128
"""Pictures that are judged together."""


@torch.no_grad()
def inpaint(prior: Prior, picture: Signal, seen: NDArray[np.bool_], *, refine: int | None = None) -> Field:
    """The field of a picture that a prior takes for likely by what is seen of it.

    Args:
        picture: square, with the prior's channels, of any size; only what is seen counts.
        seen: which of its pixels, (height, width).
        refine: steps of descent of the code on what is seen, after the encoder; where there is none, 100 unless given.

    Returns:
        The field over the prior's own pixels, whose `made` says how many cells of them were seen.

    Raises:
        InputError: another shape or other channels, or nothing that is seen.
    """
    height, width = picture.header.shape
    if seen.shape != (height, width):
        raise InputError(
            f"the mask has the shape {seen.shape}, the picture {(height, width)}; they have to be the same"
        )
    if height != width:
        raise InputError(f"the picture is {width} x {height}; the prior completes squares")
    if picture.header.out_dim != prior.space.channels:
        raise InputError(f"the prior is of {prior.space.channels} channels, the picture of {picture.header.out_dim}")
    x, values = (each.to(prior.middle.device) for each in observed(picture, seen, prior.space.size))
    made: dict[str, Any] = {"source": picture.name, "prior": prior.space.encoder, "seen": x.shape[1]}
    if prior.start is not None and refine is not None:
        raise InputError("a meta-learned start has no code to refine; leave refine out")
    if prior.start is not None:
        return prior.field(siren=fitted(prior.start, x, values).network(0), made=made)
    return prior.field(prior.infer(x, values, refine)[0], made=made)


@torch.no_grad()
def beginning(prior: Prior, picture: Signal) -> Field:
    """The field from which a fit of a picture begins: what the prior makes of it, or its meta-learned start.

    The picture may have any size and any proportions: its network sees it as a square.

    Raises:
        InputError: no picture, or one of other channels.
    """
    if picture.header.kind != "image":
        raise InputError(f"{picture.name} is no picture; the prior is one of pictures")
    if picture.header.out_dim != prior.space.channels:
        kind = "grey" if prior.space.channels == 1 else "of three colours"
        raise InputError(f"the prior's pictures are {kind}; {picture.name} has {picture.header.out_dim} channels")
    made = {"source": "a prior"}
    if prior.start is not None:
        return prior.field(made=made)
    size = (prior.space.size,) * 2
    x, values = observed(resized(picture, size), np.ones(size, dtype=bool), prior.space.size)
    return prior.field(prior.infer(x.to(prior.middle.device), values.to(prior.middle.device))[0], made=made)


def errors(
    prior: Prior, album: Album, indices: NDArray[np.int64], count: int, *, refine: int | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """The mean squared error on [-1, 1] over all pixels of some pictures (n,), of which so many random ones are seen.

    A meta-learned start takes as many steps as it learned with.
    """
    device, x, found = prior.middle.device, grid(album.size), []
    for some in _groups(indices):
        truth, seen = values_of(album, some), _seen(album, some, count, seed)
        places, values = x[seen].to(device), truth.gather(1, seen[..., None].expand(-1, -1, album.channels)).to(device)
        with torch.no_grad():
            if prior.start is not None:
                made = fitted(prior.start, places, values)(x.to(device))
            else:
                made = prior(prior.infer(places, values, refine), x.to(device))
        found.append((made.cpu() - truth).square().mean(dim=(1, 2)).double().numpy())
    return np.concatenate(found)


def interpolation_errors(
    method: str, album: Album, indices: NDArray[np.int64], count: int, *, seed: int = 0
) -> NDArray[np.float64]:
    """What `errors` gives, of scipy's interpolation of the same pixels, clipped to [-1, 1].

    Args:
        method: "nearest", the value of the nearest pixel that is seen, or "rbf", thin plates.
    """
    from scipy.interpolate import NearestNDInterpolator, RBFInterpolator

    if method not in ("nearest", "rbf"):
        raise InputError(f"there is no interpolation {method!r}; choose from nearest, rbf")
    x, found = grid(album.size).double().numpy(), []
    for some in _groups(indices):
        pictures, chosen = values_of(album, some).double().numpy(), _seen(album, some, count, seed).numpy()
        for picture, seen in zip(pictures, chosen, strict=True):
            at, known = x[seen], picture[seen]
            # three points are what a thin plate needs
            plain = method == "nearest" or len(seen) < 3
            guess = NearestNDInterpolator(at, known)(x) if plain else RBFInterpolator(at, known)(x)
            found.append(np.square(np.clip(guess, -1, 1) - picture).mean())
    return np.array(found)


def contexts(pictures: int, pixels: int, count: int, seed: tuple[int, ...]) -> Tensor:
    """So many different pixels of each picture, drawn at random: flat indices (pictures, count)."""
    if not 1 <= count <= pixels:
        raise InputError(f"from 1 to {pixels:,} pixels of such a picture are seen; not {count:,}")
    random = np.random.default_rng(seed).random((pictures, pixels))
    return torch.from_numpy(np.argsort(random, axis=1)[:, :count])


def seen_at_random(size: int, count: int, seed: int) -> NDArray[np.bool_]:
    """A mask (size, size) with so many random pixels that are seen."""
    mask = np.zeros(size**2, dtype=bool)
    mask[contexts(1, size**2, count, (seed,))[0].numpy()] = True
    return mask.reshape(size, size)


def values_of(album: Album, indices: NDArray[np.int64]) -> Tensor:
    """The pixels (n, size², c) of some pictures on [-1, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(album.pixels[indices])).float()
    return (pixels / 127.5 - 1).flatten(1, 2)


def _groups(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [indices[start : start + AT_ONCE] for start in range(0, len(indices), AT_ONCE)]


def _seen(album: Album, some: NDArray[np.int64], count: int, seed: int) -> Tensor:
    return contexts(len(some), album.size**2, count, (seed, int(some[0])))
