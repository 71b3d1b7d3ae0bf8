"""Derivatives of any order along a line."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.jets import autograd
from sinefield.jets.derivative_network import Derivative
from sinefield.jets.partials import axes, partials
from sinefield.jets.rules import ruled_layers, say_once
from sinefield.networks.network import Network


def taylor(field: nn.Module, x: Float[Tensor, "n d"], direction: Tensor, order: int) -> Float[Tensor, "k n c"]:
    """The directional derivatives of a field, of every order up to a given one, exactly and in one forward pass.

        dᵏ/dtᵏ Φ(x + t v) at t = 0, for k = 0 … order

    These are the derivatives, so the coefficients of the Taylor series are these over k!. Mixed derivatives follow by
    polarisation, as in `sinefield.operators.biharmonic`. Parameters can be trained through the result. A module, or a
    layer, without a rule is differentiated by nested autograd, which is said once for each type.

    Args:
        field: a module from (n, d) to (n, c) that treats each point by itself.
        x: points, shape (n, d).
        direction: v, shape (d,) for all points or (n, d) for each; its length counts.
        order: of the highest derivative, 0 or more.

    Returns:
        Shape (order + 1, n, c); entry k is the derivative of order k.

    Raises:
        InputError: a negative order, a direction that does not go with the points, points that are whole numbers.

    Source: Griewank and Walther, "Evaluating Derivatives", 2nd edition, chapter 13.

    >>> import torch
    >>> from sinefield.fields import Siren
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
        layers, along = field.network.layers(), field.axes
    elif isinstance(field, Network) and field.hard_constraint is not None:
        return autograd.taylor(field, x, direction, order)
    elif (ruled := ruled_layers(field)) is not None:
        layers, along = ruled, ()
    else:
        say_once(field)
        return autograd.taylor(field, x, direction, order)
    # the direction counts as one more axis, number d
    wanted = [along + (dim,) * k for k in range(order + 1)]
    part = partials(layers, x, axes(x) | {dim: direction}, wanted)
    return torch.stack([part[index] for index in wanted])
