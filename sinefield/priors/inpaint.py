"""Completion of a picture from some of its pixels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.field.info import FitInfo
from sinefield.priors.meta_learning import fit_from_start
from sinefield.priors.prior import Prior, observe
from sinefield.signals import Signal, resize


@torch.no_grad()
def inpaint(prior: Prior, picture: Signal, seen: NDArray[np.bool_], *, refine: int | None = None) -> Field:
    """Complete a picture from the observed pixels, by the code that a prior infers from them.

    Args:
        prior: Learned prior.
        picture: Square picture of any size, with the channels of the prior. Pixels outside the mask are not used.
        seen: Mask of the observed pixels, shape (height, width).
        refine: Steps of optimization of the code on the observed pixels; 0 by default with an encoder, 100 without.

    Returns:
        The field of the completed picture, in pixels of a picture of the prior's size. `field.info.settings["seen"]` is
        the number of grid cells with an observed pixel.

    Raises:
        InputError: The mask has another shape than the picture, the picture is not square or has other channels than
            the prior, or no pixel is observed.
    """
    height, width = picture.header.shape
    if seen.shape != (height, width):
        raise InputError(f"the mask has the shape {seen.shape}, the picture {(height, width)}; they must be equal")
    if height != width:
        raise InputError(f"the picture is {width} x {height} pixels; a prior completes square ones, so crop it first")
    if picture.header.out_dim != prior.config.channels:
        raise InputError(
            f"the picture has {picture.header.out_dim} channels, the prior {prior.config.channels}; they must be equal"
        )
    x, values = (each.to(prior.middle.device) for each in observe(picture, seen, prior.config.size))
    info = FitInfo(picture.name, "inpaint", {"prior": prior.config.encoder, "seen": x.shape[1]})
    if prior.start is not None and refine is not None:
        raise InputError("a meta-learned initialization has no code to refine; omit refine")
    if prior.start is not None:
        return prior.field(siren=fit_from_start(prior.start, x, values).network(0), info=info)
    return prior.field(prior.infer(x, values, refine)[0], info=info)


@torch.no_grad()
def initial_field(prior: Prior, picture: Signal) -> Field:
    """Return the field from which a fit of a picture starts: the picture's code, or the meta-learned initialization.

    Args:
        prior: Learned prior.
        picture: Picture of any size and any aspect ratio; it is resized to a square.

    Raises:
        InputError: The signal is not a picture, or has other channels than the prior.
    """
    if picture.header.kind != "image":
        raise InputError(f"{picture.name} is not a picture; a prior needs a picture")
    if picture.header.out_dim != prior.config.channels:
        kind = "gray" if prior.config.channels == 1 else "RGB"
        raise InputError(f"{picture.name} has {picture.header.out_dim} channels; the prior needs {kind} pictures")
    info = FitInfo("a prior", "initial_field")
    if prior.start is not None:
        return prior.field(info=info)
    size = (prior.config.size,) * 2
    x, values = observe(resize(picture, size), np.ones(size, dtype=bool), prior.config.size)
    return prior.field(prior.infer(x.to(prior.middle.device), values.to(prior.middle.device))[0], info=info)
