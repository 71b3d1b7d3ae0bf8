"""`propagate`: derivatives of any module by the fastest method that supports it."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Num
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.jets import autograd, forward, reference, reverse
from sinefield.jets.constrained import constrained
from sinefield.jets.derivative_network import Derivative, derivative_jet
from sinefield.jets.jet import Jet, concatenate
from sinefield.jets.reference import Tap
from sinefield.jets.rules import is_transformed, layers_with_rules, warn_autograd
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
    """Return Φ(x), ∇Φ(x) and ΔΦ(x), exact and differentiable with respect to the parameters by one backward pass.

    A `Network`, or a `derivative` of one, is differentiated by the derivative rules of its layers. Any other module, or
    a network with a layer without a rule, is differentiated by nested autograd: equally exact, slower, and with a
    warning once per type.

    Args:
        field: Module from (n, d) to (n, c) that treats each point independently.
        x: Points, shape (n, d).
        order: 0 for the value, 1 for value and gradient, 2 for value, gradient and Laplacian.
        hessian: Whether to compute the full Hessian as well, for order 2.
        space: Memory for the tensors that the backward pass needs. The next call with the same workspace reuses it, so
            a loop of forward and backward passes allocates no large tensors.
        tap: List to which each affine layer is appended, with the jets of its input and output.

    Raises:
        InputError: If `order` is not 0, 1 or 2, `hessian` is set for an order below 2, or x is not floating-point.

    >>> import torch
    >>> from sinefield.networks import Siren
    >>> jet = propagate(Siren(2, 3), torch.rand(5, 2), order=2)
    >>> jet.value.shape, jet.gradient.shape, jet.laplacian.shape
    (torch.Size([5, 3]), torch.Size([5, 3, 2]), torch.Size([5, 3]))
    """
    if order not in (0, 1, 2) or (hessian and order < 2):
        raise InputError(f"order must be 0, 1 or 2, and 2 for a Hessian; it is {order}")
    if not x.is_floating_point():
        raise InputError(f"points must be floating-point numbers; they are {x.dtype}")
    if isinstance(field, Concat):
        jet = concatenate([propagate(each, x, order, hessian=hessian, tap=tap) for each in field.networks])
    elif isinstance(field, Derivative):
        jet = derivative_jet(field, x, order, hessian=hessian)
    elif (layers := layers_with_rules(field)) is not None:
        if tap is not None:
            jet = reference.propagate(layers, x, order, hessian=hessian, tap=tap)
        else:
            jet = _propagate_layers(layers, x, order, hessian=hessian, space=space)
        if isinstance(field, Network) and field.hard_constraint is not None:
            jet = constrained(field.hard_constraint, x, jet)
    else:
        warn_autograd(field)
        jet = autograd.propagate(field, x, order, hessian=hessian)
    if jet.hessian is not None:
        jet = jet._replace(laplacian=jet.hessian.diagonal(dim1=-2, dim2=-1).sum(-1))
    return jet


def _propagate_layers(layers: Sequence[Layer], x: Tensor, order: int, *, hessian: bool, space: Workspace | None) -> Jet:
    """Return the jet by the method with the fewest matrix products per layer.

    The reverse sweep needs 1 + c products for the gradient of c channels; the forward sweep 1 + d for the gradient and
    2 + d for the Laplacian as well.
    """
    if hessian or is_transformed() or not forward.supports(layers):
        return reference.propagate(layers, x, order, hessian=hessian)
    channels = [len(layer.bias) for layer in layers if isinstance(layer, Affine)]
    if order == 1 and channels[-1] < x.shape[-1]:
        return reverse.propagate(layers, x, space)
    return forward.propagate(layers, x, order, space)
