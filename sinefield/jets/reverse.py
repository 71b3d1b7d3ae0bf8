"""The reverse sweep: the gradient of few channels by going back through the layers, as two products a layer.

Forward, zₗ = Wₗ aₗ₋₁ + bₗ and aₗ = f(zₗ); then back, from r = W of the last layer, sₗ = r f′(zₗ) and r = sₗ Wₗ.
Training through it goes forward and back through both, six products a layer in all, where the forward sweep needs
3 (d + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sinefield.fields.layers import Affine, Layer, Pointwise, Rescale
from sinefield.jets.jet import Jet


def propagate(layers: Sequence[Layer], x: Tensor) -> Jet:
    """Value and gradient of a chain of `Affine`, `Rescale` and `Pointwise` layers at x (n, d)."""
    value, slopes = x, {}
    for index, layer in enumerate(layers):
        if isinstance(layer, Pointwise):
            value, slopes[index] = _ValueAndSlope.apply(value, layer)
        else:
            value = layer(value)
    n, c = value.shape
    row = torch.eye(c, dtype=value.dtype, device=value.device)[:, None]  # (c, n or 1, width)
    for index, layer in reversed(list(enumerate(layers))):
        match layer:
            case Affine():
                row = row @ layer.weight
            case Rescale():
                row = row * layer.scale.to(row.dtype)
            case _:
                row = row * slopes[index]
    return Jet(value, row.expand(c, n, -1).transpose(0, 1))


class _ValueAndSlope(torch.autograd.Function):
    """z ↦ (f(z), f′(z)), which share their sines."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, f: Pointwise) -> tuple[Tensor, Tensor]:
        f0, f1 = f.derivatives(z, 1)
        return f0, f1

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Pointwise], output: tuple[Tensor, Tensor]) -> None:
        z, ctx.f = inputs
        ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx: Any, value_bar: Tensor, slope_bar: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        _, f1, f2 = ctx.f.derivatives(z, 2)
        return torch.addcmul(f1 * value_bar, f2, slope_bar), None
