"""Derivatives by nested automatic differentiation: for any module, and to verify the other methods."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sinefield.jets.jet import Jet


def propagate(field: Callable[[Tensor], Tensor], x: Tensor, order: int, *, hessian: bool = False) -> Jet:
    """Return the jet of a differentiable function (n, d) → (n, c) that treats each point independently.

    Args:
        field: Function to differentiate.
        x: Points, shape (n, d).
        order: Order of the highest derivative: 0, 1 or 2.
        hessian: Whether to return the Hessian instead of the Laplacian, for order 2.
    """
    grad_enabled = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()
        value = field(x)
        jet = Jet(value)
        if order >= 1:
            jet = jet._replace(gradient=_gradient(value, x))
        if order >= 2:
            assert jet.gradient is not None
            rows = [_gradient(row, x) for row in jet.gradient.unbind(-1)]
            second = torch.stack(rows, dim=-2)
            jet = jet._replace(
                hessian=second if hessian else None,
                laplacian=None if hessian else second.diagonal(dim1=-2, dim2=-1).sum(-1),
            )
    if grad_enabled:
        return jet
    value, *derivatives = jet
    return Jet(value.detach(), *(part if part is None else part.detach() for part in derivatives))


def taylor(field: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, order: int) -> Tensor:
    """Return the derivatives (order + 1, n, c) of t ↦ field(x + t · direction) at t = 0."""
    grad_enabled = torch.is_grad_enabled()
    with torch.enable_grad():
        t = x.new_zeros(len(x), 1).requires_grad_()
        derivatives = [field(x + t * direction)]
        for _ in range(order):
            derivatives.append(_gradient(derivatives[-1], t)[..., 0])
        stacked = torch.stack(derivatives)
    return stacked if grad_enabled else stacked.detach()


def _gradient(value: Tensor, x: Tensor) -> Tensor:
    """Return ∂valueᵢ/∂xⱼ (n, c, d) for value (n, c); zero for a channel that does not depend on x."""
    columns = [
        torch.autograd.grad(channel.sum(), x, create_graph=True, allow_unused=True, materialize_grads=True)[0]
        if channel.requires_grad
        else torch.zeros_like(x)
        for channel in value.unbind(-1)
    ]
    return torch.stack(columns, dim=-2)
