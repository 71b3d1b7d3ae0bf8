"""The derivative of a network, as a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.jets.jet import Jet
from sinefield.jets.partials import axes as axes_of
from sinefield.jets.partials import partials
from sinefield.jets.rules import ruled_layers
from sinefield.networks.layers import Affine, Layer, Rescale
from sinefield.networks.network import Network


def derivative(network: nn.Module, *axes: int) -> Derivative:
    """The derivative of a network along coordinate axes, as a network that shares its parameters.

        x ↦ ∂ᵏΦ(x) / ∂x_{axes[0]} … ∂x_{axes[k-1]}

    Its forward pass takes no derivative: for one axis each sine (z, t) ↦ (sin ωz, ω cos(ωz) t) is followed by the same
    linear map for both. To train it is to train the network, so an integral can be fitted through its integrand.

    Args:
        network: one of `sinefield.fields`, over a domain or not, a `Field`, or a derivative, which is taken further.
        axes: one or more axes, 0 … d - 1, in any order; an axis may come more than once.

    Raises:
        InputError: no axis, an axis that is not there, a network that has layers without a rule.

    Source: Lindell, Martel and Wetzstein, "AutoInt", CVPR 2021, whose grad network this is.

    >>> import torch
    >>> from sinefield.fields import Siren
    >>> siren = Siren(2, 3, width=16)
    >>> mixed = derivative(siren, 0, 1)
    >>> mixed(torch.rand(5, 2)).shape
    torch.Size([5, 3])
    >>> mixed.network is siren
    True
    """
    if isinstance(network, Derivative):
        return derivative(network.network, *network.axes, *axes)
    layers = ruled_layers(network)
    if not isinstance(network, Network) or layers is None:
        raise InputError(
            f"{type(network).__name__} has layers without a derivative rule, so its derivative is no network; "
            "propagate and taylor differentiate it by autograd"
        )
    if network.hard_constraint is not None:
        raise InputError("the derivative of a field with a condition is no network; propagate differentiates it")
    dim = _input_dim(layers)
    if not axes or not all(axis in range(dim) for axis in axes):
        raise InputError(f"axes must be one or more of 0 … {dim - 1}; they are {axes}")
    return Derivative(network, axes)


class Derivative(nn.Module):
    """∂Φ along some axes; made by `derivative`.

    Attributes:
        network: Φ.
        axes: along which, in ascending order.
    """

    def __init__(self, network: Network, axes: tuple[int, ...]):
        super().__init__()
        self.network = network
        self.axes = tuple(sorted(axes))

    def forward(self, x: Tensor) -> Tensor:
        """The derivative at x (…, d), in the network's own coordinates: (…, c)."""
        return partials(self.network.layers(), x, axes_of(x), [self.axes])[self.axes]

    def extra_repr(self) -> str:
        return f"axes={self.axes}"


def jet_of(field: Derivative, x: Tensor, order: int, *, hessian: bool = False) -> Jet:
    """The jet of a derivative at x (n, d): its gradient is of the network's derivatives, with one axis more."""
    dim = range(x.shape[-1])
    firsts = [_with(field, j) for j in dim] if order >= 1 else []
    seconds = [_with(field, j, k) for j in dim for k in (dim if hessian else [j])] if order >= 2 else []
    part = partials(field.network.layers(), x, axes_of(x), {field.axes, *firsts, *seconds})
    jet = Jet(part[field.axes])
    if order >= 1:
        jet = jet._replace(gradient=torch.stack([part[index] for index in firsts], dim=-1))
    if order >= 2:
        second = torch.stack([part[index] for index in seconds], dim=-1)
        jet = jet._replace(
            hessian=second.unflatten(-1, (len(dim), len(dim))) if hessian else None,
            laplacian=None if hessian else second.sum(-1),
        )
    return jet


def _with(field: Derivative, *axes: int) -> tuple[int, ...]:
    return tuple(sorted((*field.axes, *axes)))


def _input_dim(layers: Sequence[Layer]) -> int:
    """d, from the first layer that tells; those before it keep the dimension."""
    first = next(layer for layer in layers if isinstance(layer, Affine | Rescale))
    return first.weight.shape[1] if isinstance(first, Affine) else len(first.shift)
