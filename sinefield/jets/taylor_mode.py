"""Directional derivatives of any order."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.jets import autograd
from sinefield.jets.derivative_network import Derivative
from sinefield.jets.partials import axis_directions, partials
from sinefield.jets.rules import layers_with_rules, warn_autograd
from sinefield.networks.network import Network


def taylor(field: nn.Module, x: Float[Tensor, "n d"], direction: Tensor, order: int) -> Float[Tensor, "k n c"]:
    """Return the directional derivatives up to a given order, exactly and in one forward pass.

        dᵏ/dtᵏ Φ(x + t v) at t = 0, for k = 0 … order

    Divided by k!, they are the coefficients of the Taylor series. Mixed derivatives follow by polarization, as in
    `sinefield.jets.operators.biharmonic`. The result is differentiable with respect to the parameters. A module with a
    layer without a derivative rule is differentiated by nested autograd, with a warning once per type.

    Args:
        field: Module from (n, d) to (n, c) that treats each point independently.
        x: Points, shape (n, d).
        direction: Direction v, shape (d,) for all points or (n, d) for one per point; it is not normalized.
        order: Order of the highest derivative, 0 or more.

    Returns:
        Tensor of shape (order + 1, n, c); entry k is the derivative of order k.

    Raises:
        InputError: If `order` is negative, the shape of `direction` does not match that of x, or x is not
            floating-point.

    Source: Griewank and Walther, "Evaluating Derivatives", 2nd edition, chapter 13.

    >>> import torch
    >>> from sinefield.networks import Siren
    >>> taylor(Siren(2, 3, width=16), torch.rand(5, 2), torch.tensor([1.0, 0.0]), order=4).shape
    torch.Size([5, 5, 3])
    """
    if order < 0:
        raise InputError(f"order must be 0 or more; it is {order}")
    dim = x.shape[-1]
    if direction.shape not in ((dim,), tuple(x.shape)):
        raise InputError(f"direction must have the shape ({dim},) or {tuple(x.shape)}; it has {tuple(direction.shape)}")
    direction = direction.to(x.dtype)
    if isinstance(field, Derivative):
        layers, axes = field.network.layers(), field.axes
    elif isinstance(field, Network) and field.hard_constraint is not None:
        return autograd.taylor(field, x, direction, order)
    elif (supported := layers_with_rules(field)) is not None:
        layers, axes = supported, ()
    else:
        warn_autograd(field)
        return autograd.taylor(field, x, direction, order)
    # the direction has the number d, after those of the coordinate axes
    indices = [axes + (dim,) * k for k in range(order + 1)]
    part = partials(layers, x, axis_directions(x) | {dim: direction}, indices)
    return torch.stack([part[index] for index in indices])
