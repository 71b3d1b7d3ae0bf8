"""The derivative of a network, as a network with the same parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.jets.jet import Jet
from sinefield.jets.partials import axis_directions, partials
from sinefield.jets.rules import layers_with_rules
from sinefield.networks.layers import Affine, Layer, Rescale
from sinefield.networks.network import Network


def derivative(network: nn.Module, *axes: int) -> Derivative:
    """Return the partial derivative of a network as a network that shares its parameters.

        x ↦ ∂ᵏΦ(x) / ∂x_{axes[0]} … ∂x_{axes[k-1]}

    The forward pass uses no automatic differentiation: for one axis, each sine layer maps the value z and the tangent t
    to (sin ωz, ω cos(ωz) t), and the next linear layer is applied to both. Training the derivative trains the network,
    so that an integral can be fitted through its integrand.

    Args:
        network: A `Network`, with or without a domain, a `Field`, or the result of another call of `derivative`.
        axes: Axes to differentiate along, each in 0 … d - 1; their order does not matter, and they may repeat.

    Returns:
        A module from (…, d) to (…, c).

    Raises:
        InputError: If no axis is given, an axis does not exist, or the network has a hard constraint or a layer
            without a derivative rule.

    Source: Lindell, Martel and Wetzstein, "AutoInt", CVPR 2021, where it is called the grad network.

    >>> import torch
    >>> from sinefield.networks import Siren
    >>> siren = Siren(2, 3, width=16)
    >>> mixed = derivative(siren, 0, 1)
    >>> mixed(torch.rand(5, 2)).shape
    torch.Size([5, 3])
    >>> mixed.network is siren
    True
    """
    if isinstance(network, Derivative):
        return derivative(network.network, *network.axes, *axes)
    layers = layers_with_rules(network)
    if not isinstance(network, Network) or layers is None:
        raise InputError(
            f"{type(network).__name__} has layers without a derivative rule, which derivative needs; "
            "use propagate or taylor, which fall back to autograd"
        )
    if network.hard_constraint is not None:
        raise InputError("derivative does not support networks with a hard constraint; use propagate or taylor")
    dim = _input_dim(layers)
    if not axes or not all(axis in range(dim) for axis in axes):
        raise InputError(f"axes must be one or more of 0 … {dim - 1}; they are {axes}")
    return Derivative(network, axes)


class Derivative(nn.Module):
    """Partial derivative of a network, created by `derivative`.

    Attributes:
        network: Network that is differentiated.
        axes: Axes of the derivative, in ascending order.
    """

    def __init__(self, network: Network, axes: tuple[int, ...]):
        super().__init__()
        self.network = network
        self.axes = tuple(sorted(axes))

    def forward(self, x: Tensor) -> Tensor:
        """Return the derivative (…, c) at points x (…, d) in the coordinates of the network."""
        return partials(self.network.layers(), x, axis_directions(x), [self.axes])[self.axes]

    def extra_repr(self) -> str:
        return f"axes={self.axes}"


def derivative_jet(field: Derivative, x: Tensor, order: int, *, hessian: bool = False) -> Jet:
    """Return the jet of a derivative at points x (n, d), from derivatives of the network of higher order."""
    dim = range(x.shape[-1])
    first = [_with_axes(field, j) for j in dim] if order >= 1 else []
    second = [_with_axes(field, j, k) for j in dim for k in (dim if hessian else [j])] if order >= 2 else []
    part = partials(field.network.layers(), x, axis_directions(x), {field.axes, *first, *second})
    jet = Jet(part[field.axes])
    if order >= 1:
        jet = jet._replace(gradient=torch.stack([part[index] for index in first], dim=-1))
    if order >= 2:
        stacked = torch.stack([part[index] for index in second], dim=-1)
        jet = jet._replace(
            hessian=stacked.unflatten(-1, (len(dim), len(dim))) if hessian else None,
            laplacian=None if hessian else stacked.sum(-1),
        )
    return jet


def _with_axes(field: Derivative, *axes: int) -> tuple[int, ...]:
    return tuple(sorted((*field.axes, *axes)))


def _input_dim(layers: Sequence[Layer]) -> int:
    """Return the dimension d of the input, from the first layer that defines it; layers before it preserve it."""
    first = next(layer for layer in layers if isinstance(layer, Affine | Rescale))
    return first.weight.shape[1] if isinstance(first, Affine) else len(first.shift)
