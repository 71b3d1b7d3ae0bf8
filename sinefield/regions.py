"""Parts of a box where a signed distance is negative: a ball, a shape that was fitted, anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sinefield.domain import Domain, box
from sinefield.errors import InputError


@dataclass(frozen=True)
class Region:
    """What of a box lies where a signed distance is negative.

    Attributes:
        box: around all of it.
        distance: (n, d) ↦ (n, 1) or (n,), negative inside, zero on the border, with a slope near 1 there; such as the
            field of a shape, or any function of PyTorch.

    >>> ring = Region(box((-2, -2), (2, 2)), lambda x: (x.norm(dim=1) - 1.5).abs() - 0.5)
    >>> ring.inside(torch.tensor([[1.5, 0.0], [0.5, 0.0]])).tolist()
    [True, False]
    """

    box: Domain
    distance: Callable[[Tensor], Tensor]

    def inside(self, x: Tensor) -> Tensor:
        """Whether each of some points (n, d) is inside: (n,)."""
        with torch.no_grad():
            return self.distance(x).reshape(-1) < 0

    def slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The distance (n,) and its gradient (n, d)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            distance = self.distance(x).reshape(-1)
            (gradient,) = torch.autograd.grad(distance.sum(), x)
        return distance.detach(), gradient


def ball(
    centre: Sequence[float], radius: float, axes: Sequence[str] | None = None, units: Sequence[str] | None = None
) -> Region:
    """The ball of a radius around a centre; a disc in the plane.

    Raises:
        InputError: a radius that is not positive.

    >>> ball((1.0, 2.0), 0.5).box.lower
    (0.5, 1.5)
    """
    if not radius > 0:
        raise InputError(f"the radius of a ball must be positive; it is {radius}")
    middle = np.asarray(centre, dtype=np.float64)
    around = box((middle - radius).tolist(), (middle + radius).tolist(), axes, units)
    return Region(around, lambda x: (x - x.new_tensor(centre)).norm(dim=-1) - radius)
