"""One way to ask for derivatives, whatever the field."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Num
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.jets import autograd, forward, reference, reverse
from sinefield.jets.constrained import constrained
from sinefield.jets.derivative_network import Derivative, jet_of
from sinefield.jets.jet import Jet, side_by_side
from sinefield.jets.reference import Tap
from sinefield.jets.rules import ruled_layers, say_once, traced
from sinefield.networks.concat import Concat
from sinefield.networks.layers import Affine, Layer
from sinefield.networks.network import Network
from sinefield.parallel import Workspace


def propagate(
    field: nn.Module,
    x: Num[Tensor, "n d"],
    order: int,
    *,
    hessian: bool = False,
    space: Workspace | None = None,
    tap: Tap | None = None,
) -> Jet:
    """Φ(x), ∇Φ(x) and ΔΦ(x), exactly; parameters can be trained through the result by one plain backward pass.

    A `Network`, or a `derivative` of one, goes by the rules of its layers. Any other module, or a layer without a
    rule, is differentiated by nested autograd, which is as exact and slower; this is said once for each type.

    Args:
        field: a module from (n, d) to (n, c) that treats each point by itself.
        x: points, shape (n, d).
        order: 0 for the value, 1 for the gradient as well, 2 for the Laplacian as well.
        hessian: with order 2, the whole Hessian; the Laplacian is its trace.
        space: memory for what the backward pass needs, used again by the next call with it, so that a loop which goes
            forward and backward by turns allocates nothing large.
        tap: a list that receives each affine layer with the jets that enter and leave it.

    Raises:
        InputError: an order other than 0, 1, 2, a Hessian without order 2, points that are whole numbers.

    >>> import torch
    >>> from sinefield.fields import Siren
    >>> jet = propagate(Siren(2, 3), torch.rand(5, 2), order=2)
    >>> jet.value.shape, jet.gradient.shape, jet.laplacian.shape
    (torch.Size([5, 3]), torch.Size([5, 3, 2]), torch.Size([5, 3]))
    """
    if order not in (0, 1, 2) or (hessian and order < 2):
        raise InputError(f"order must be 0, 1 or 2, and 2 for a Hessian; it is {order}")
    if not x.is_floating_point():
        raise InputError(f"points must be floating-point numbers; they are {x.dtype}")
    if isinstance(field, Concat):
        jet = side_by_side([propagate(each, x, order, hessian=hessian, tap=tap) for each in field.networks])
    elif isinstance(field, Derivative):
        jet = jet_of(field, x, order, hessian=hessian)
    elif (layers := ruled_layers(field)) is not None:
        if tap is not None:
            jet = reference.propagate(layers, x, order, hessian=hessian, tap=tap)
        else:
            jet = _cheapest(layers, x, order, hessian=hessian, space=space)
        if isinstance(field, Network) and field.hard_constraint is not None:
            jet = constrained(field.hard_constraint, x, jet)
    else:
        say_once(field)
        jet = autograd.propagate(field, x, order, hessian=hessian)
    if jet.hessian is not None:
        jet = jet._replace(laplacian=jet.hessian.diagonal(dim1=-2, dim2=-1).sum(-1))
    return jet


def _cheapest(layers: Sequence[Layer], x: Tensor, order: int, *, hessian: bool, space: Workspace | None) -> Jet:
    """By products a layer: 1 + c for the gradient of c channels in reverse; 1 + d forward, 2 + d with the Laplacian."""
    if hessian or traced() or not forward.covers(layers):
        return reference.propagate(layers, x, order, hessian=hessian)
    channels = [len(layer.bias) for layer in layers if isinstance(layer, Affine)]
    if order == 1 and channels[-1] < x.shape[-1]:
        return reverse.propagate(layers, x, space)
    return forward.propagate(layers, x, order, space)
