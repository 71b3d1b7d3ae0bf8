"""The reverse sweep: the gradient of few channels by going back through the layers, as two products a layer.

Forward, zₗ = Wₗ aₗ₋₁ + bₗ and aₗ = f(zₗ); then back, from r = W of the last layer, sₗ = rₗ f′(zₗ) and rₗ₋₁ = sₗ Wₗ,
down to the gradient r₀. The adjoint goes both ways again, the other way round: up from r̄₀, the gradient's adjoint,

    s̄ₗ = r̄ₗ₋₁ Wₗᵀ,   W̄ₗ = sₗᵀ r̄ₗ₋₁,   r̄ₗ = s̄ₗ f′(zₗ),   and then down from ā,   z̄ₗ = āₗ f′(zₗ) + s̄ₗ rₗ f″(zₗ),

with W̄ₗ += z̄ₗᵀ aₗ₋₁ and āₗ₋₁ = z̄ₗ Wₗ: six products a layer in all, where the forward sweep needs 3 (d + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sinefield.jets.forward import keeps, parts
from sinefield.jets.jet import Jet
from sinefield.networks.layers import Layer, Pointwise
from sinefield.parallel import Workspace


def propagate(layers: Sequence[Layer], x: Tensor, space: Workspace | None = None) -> Jet:
    """Value and gradient of a chain that `forward.covers` covers at x (n, d).

    Args:
        space: as for the forward sweep.
    """
    before, chain, after = parts(layers)
    parameters = [tensor for layer in chain[::2] for tensor in (layer.weight, layer.bias)]
    inside = before(x) if before else x
    keep = keeps(inside, *parameters)
    value, gradient = _Sweep.apply(inside, tuple(chain[1::2]), space or Workspace(), keep, *parameters)
    if before:
        gradient = gradient * before.scale.to(gradient.dtype)
    if after:
        value, gradient = after(value), gradient.to(after.dtype) * after.scale.to(after.dtype)[:, None, None]
    return Jet(value, gradient.transpose(0, 1))


class _Sweep(torch.autograd.Function):
    """(x, W₁, b₁, W₂, b₂, …) ↦ value (n, c) and gradient (c, n, d)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, activations: tuple[Pointwise, ...], space: Workspace, keep: bool, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        weights, biases = parameters[::2], parameters[1::2]
        n, c = len(x), len(weights[-1])
        ctx.sweep = space.begin()
        a, layers = x, []
        for index, (f, weight, bias) in enumerate(zip(activations, weights, biases, strict=False)):
            shape = (n, len(weight))
            z = torch.addmm(bias, a, weight.T, out=space.empty("inputs", index if keep else 0, shape, x))
            a = space.empty("states", index if keep else index % 2, shape, x)
            slopes = space.empty("slopes", index, (1 + keep, *shape), x)
            f.write(z, (a, *slopes))
            layers.append((a, slopes))
        value = torch.addmm(biases[-1], a, weights[-1].T)
        row, rows = weights[-1][:, None], []  # (c, n, m), at first the same at every point
        for index in reversed(range(len(layers))):
            weight, slopes = weights[index], layers[index][1]
            wide = (c, n, len(weight))
            sloped = torch.mul(row, slopes[0], out=space.empty("sloped", index if keep else 0, wide, x))
            rows.append((row, sloped))
            row = space.empty("rows", index if keep else index % 2, (c, n, weight.shape[1]), x)
            torch.mm(sloped.view(c * n, -1), weight, out=row.view(c * n, -1))
        if keep:
            ctx.save_for_backward(x, *weights)
            ctx.layers, ctx.rows, ctx.space = layers, rows[::-1], space
        return value, row.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, value_bar: Tensor, gradient_bar: Tensor) -> tuple[Tensor | None, ...]:
        ctx.space.check(ctx.sweep)
        x, *weights = ctx.saved_tensors
        space, hidden, (c, n, _) = ctx.space, len(ctx.layers), gradient_bar.shape
        up, bends = [], []  # what goes up adds to each weight, and to z̄ of each hidden layer
        row_bar = gradient_bar.reshape(c * n, -1)
        for index, (weight, (_, slopes), (row, sloped)) in enumerate(zip(weights, ctx.layers, ctx.rows, strict=False)):
            up.append(sloped.view(c * n, -1).T @ row_bar)
            shape = (c, n, len(weight))
            back = space.empty("back", index % 2, shape, x)
            row_bar = torch.mm(row_bar, weight.T, out=back.view(c * n, -1))
            bend = torch.mul(back[0], row[0], out=space.empty("bend", index, shape[1:], x))
            for one, other in zip(back[1:], row[1:], strict=True):
                bend.addcmul_(one, other)
            bends.append(bend.mul_(slopes[1]))
            back.mul_(slopes[0])
        up.append(row_bar.view(c, n, -1).sum(1))

        bars: list[Tensor] = []  # from the last parameter to the first
        z_bar = value_bar
        for index in reversed(range(hidden)):
            a, slopes = ctx.layers[index]
            bars += [z_bar.sum(0), up[index + 1].addmm_(z_bar.T, a)]
            a_bar = torch.mm(z_bar, weights[index + 1], out=space.empty("down", 0, tuple(a.shape), x))
            z_bar = bends[index].addcmul_(a_bar, slopes[0])
        bars += [z_bar.sum(0), up[0].addmm_(z_bar.T, x)]
        x_bar = z_bar @ weights[0] if ctx.needs_input_grad[0] else None
        return x_bar, None, None, None, *reversed(bars)
