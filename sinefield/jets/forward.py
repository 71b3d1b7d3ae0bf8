"""The forward sweep: value, tangents and Laplacian go through a layer together, in one stacked product.

The state is S = (a, A₁ … A_d, L), stacked to (d + 2, n, m); without the Laplacian it is (d + 1, n, m). With
Z = S Wᵀ and z = Z₀ + b a hidden layer gives

    a = f(z),   Aᵢ = f′(z) Zᵢ,   L = f″(z) Σᵢ Zᵢ² + f′(z) Z_L,

and its adjoint, for the incoming ā, Āᵢ, L̄, is written out, so that training through a jet is one plain backward pass:

    Z̄ᵢ = f′ Āᵢ + 2 f″ Zᵢ L̄,   Z̄_L = f′ L̄,   z̄ = f′ ā + f″ (Σᵢ Zᵢ Āᵢ + Z_L L̄) + f‴ Σᵢ Zᵢ² L̄.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sinefield.fields.layers import Affine, Layer, Pointwise, Rescale
from sinefield.jets.jet import Jet


def propagate(layers: Sequence[Layer], x: Tensor, order: int) -> Jet:
    """The jet of a chain that `covers` covers, of order 1 or 2 (with the Laplacian, not the Hessian), at x (n, d)."""
    n, d = x.shape
    bias: Tensor | None = None
    state = torch.cat([x[None], torch.eye(d, dtype=x.dtype, device=x.device)[:, None].expand(d, n, d)])
    if order == 2:
        state = torch.cat([state, x.new_zeros(1, n, d)])
    for layer in layers:
        match layer:
            case Rescale():
                scale = layer.scale.to(layer.dtype)
                value, rest = layer(_value(state, bias)), state[1:].to(layer.dtype) * scale
                state, bias = torch.cat([value[None], rest]), None
            case Affine():
                state = torch.cat([_value(state, bias)[None], state[1:]]) if bias is not None else state
                state, bias = state @ layer.weight.T, layer.bias
            case Pointwise():
                bias = torch.zeros_like(state[0, 0]) if bias is None else bias
                (state, *_), bias = _Activation.apply(state, bias, layer, order == 2), None
    return Jet(
        _value(state, bias),
        state[1 : d + 1].permute(1, 2, 0),
        state[d + 1] if order == 2 else None,
    )


def covers(layers: Sequence[Layer]) -> bool:
    """Whether every layer of a chain is of a type that the sweep knows."""
    return all(isinstance(layer, Affine | Rescale | Pointwise) for layer in layers)


def _value(state: Tensor, bias: Tensor | None) -> Tensor:
    return state[0] if bias is None else state[0] + bias


class _Activation(torch.autograd.Function):
    """(Z, b) ↦ S, with the adjoint that stands above; f′, f″ and f‴ come along for it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(state: Tensor, bias: Tensor, f: Pointwise, second: bool) -> tuple[Tensor, ...]:
        if not second:
            f0, f1, f2 = f.derivatives(state[0] + bias, 2)
            result = state * f1
            result[0].copy_(f0)
            return result, f1, f2
        f0, f1, f2, f3 = f.derivatives(state[0] + bias, 3)
        result = state * f1
        result[0].copy_(f0)
        result[-1].add_(f2 * _inner(state[1:-1], state[1:-1]))
        return result, f1, f2, f3

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Pointwise, bool], output: tuple[Tensor, ...]) -> None:
        state, _, _, ctx.second = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)  # no zeros for what is not differentiated
        ctx.save_for_backward(state, *output[1:])

    @staticmethod
    def backward(ctx: Any, adjoint: Tensor, *_: None) -> tuple[Tensor, Tensor, None, None]:
        state, f1, f2, *higher = ctx.saved_tensors
        result = adjoint * f1
        z_bar = result[0]
        z_bar.add_(f2 * _inner(state[1:], adjoint[1:]))
        if ctx.second:
            tangents, last = state[1:-1], adjoint[-1]
            z_bar.add_(higher[0] * (_inner(tangents, tangents) * last))
            result[1:-1].add_(tangents * (2 * f2 * last))
        return result, z_bar.sum(0), None, None


def _inner(one: Tensor, two: Tensor) -> Tensor:
    """Σᵢ oneᵢ twoᵢ over the first axis."""
    total = one[0] * two[0]
    for a, b in zip(one[1:], two[1:], strict=True):
        total = torch.addcmul(total, a, b)
    return total
