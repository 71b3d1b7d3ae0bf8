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
                state, bias = _Activation.apply(state, bias, layer, order == 2), None
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
    """(Z, b) ↦ S, with the adjoint that stands above."""

    generate_vmap_rule = True

    @staticmethod
    def forward(state: Tensor, bias: Tensor, f: Pointwise, second: bool) -> Tensor:
        z, tangents = state[0] + bias, state[1:-1] if second else state[1:]
        if not second:
            f0, f1 = f.derivatives(z, 1)
            return torch.cat([f0[None], tangents * f1])
        f0, f1, f2 = f.derivatives(z, 2)
        laplacian = torch.addcmul(f1 * state[-1], f2, tangents.square().sum(0))
        return torch.cat([f0[None], tangents * f1, laplacian[None]])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Pointwise, bool], output: Tensor) -> None:
        state, bias, ctx.f, ctx.second = inputs
        ctx.save_for_backward(state, bias)

    @staticmethod
    def backward(ctx: Any, adjoint: Tensor) -> tuple[Tensor, Tensor, None, None]:
        state, bias = ctx.saved_tensors
        z = state[0] + bias
        if not ctx.second:
            _, f1, f2 = ctx.f.derivatives(z, 2)
            z_bar = torch.addcmul(f1 * adjoint[0], f2, (state[1:] * adjoint[1:]).sum(0))
            return torch.cat([z_bar[None], adjoint[1:] * f1]), z_bar.sum(0), None, None
        _, f1, f2, f3 = ctx.f.derivatives(z, 3)
        tangents, laplacian = state[1:-1], state[-1]
        last = adjoint[-1]
        inner = torch.addcmul((tangents * adjoint[1:-1]).sum(0), laplacian, last)
        z_bar = torch.addcmul(torch.addcmul(f1 * adjoint[0], f2, inner), f3 * tangents.square().sum(0), last)
        tangents_bar = torch.addcmul(adjoint[1:-1] * f1, tangents, 2 * f2 * last)
        return torch.cat([z_bar[None], tangents_bar, (f1 * last)[None]]), z_bar.sum(0), None, None
