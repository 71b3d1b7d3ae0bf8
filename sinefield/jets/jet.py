"""The data type for the value of a function together with its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Num
from torch import Tensor


class Jet(NamedTuple):
    """Value and derivatives of Φ: ℝᵈ → ℝᶜ at n points; None for derivatives that were not requested.

    Attributes:
        value: Φ(x), shape (n, c).
        gradient: ∂Φᵢ/∂xⱼ, shape (n, c, d).
        laplacian: Σⱼ ∂²Φᵢ/∂xⱼ², shape (n, c).
        hessian: ∂²Φᵢ/∂xⱼ∂xₖ, shape (n, c, d, d).
    """

    value: Num[Tensor, "n c"]
    gradient: Num[Tensor, "n c d"] | None = None
    laplacian: Num[Tensor, "n c"] | None = None
    hessian: Num[Tensor, "n c d d"] | None = None

    def channels(self, which: slice) -> Jet:
        """Return the jet of a slice of the channels, such as the velocity in a field of velocity and pressure."""
        value, *derivatives = self
        return Jet(value[:, which], *(None if part is None else part[:, which] for part in derivatives))


def coordinates(x: Num[Tensor, "n d"], order: int, *, hessian: bool = False) -> Jet:
    """Return the jet of the identity at x, which is the input of the first layer."""
    n, d = x.shape
    return Jet(
        value=x,
        gradient=torch.eye(d, dtype=x.dtype, device=x.device).expand(n, d, d) if order >= 1 else None,
        laplacian=x.new_zeros(n, d) if order >= 2 and not hessian else None,
        hessian=x.new_zeros(n, d, d, d) if order >= 2 and hessian else None,
    )


def concatenate(jets: Sequence[Jet]) -> Jet:
    """Concatenate the channels of several jets at the same points."""

    def concatenated(parts: Sequence[Tensor | None]) -> Tensor | None:
        given = [part for part in parts if part is not None]
        return torch.cat(given, dim=1) if given else None

    values, *derivatives = zip(*jets, strict=True)
    return Jet(torch.cat(values, dim=1), *map(concatenated, derivatives))
