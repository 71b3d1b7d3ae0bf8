"""A whole picture from some of its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.priors.meta_learning import fitted
from sinefield.priors.prior import Prior, observed
from sinefield.signals import Signal, resized


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
    if picture.header.out_dim != prior.config.channels:
        raise InputError(f"the prior is of {prior.config.channels} channels, the picture of {picture.header.out_dim}")
    x, values = (each.to(prior.middle.device) for each in observed(picture, seen, prior.config.size))
    made: dict[str, Any] = {"source": picture.name, "prior": prior.config.encoder, "seen": x.shape[1]}
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
    if picture.header.out_dim != prior.config.channels:
        kind = "grey" if prior.config.channels == 1 else "of three colours"
        raise InputError(f"the prior's pictures are {kind}; {picture.name} has {picture.header.out_dim} channels")
    made = {"source": "a prior"}
    if prior.start is not None:
        return prior.field(made=made)
    size = (prior.config.size,) * 2
    x, values = observed(resized(picture, size), np.ones(size, dtype=bool), prior.config.size)
    return prior.field(prior.infer(x.to(prior.middle.device), values.to(prior.middle.device))[0], made=made)
