"""The reverse sweep: the gradient of a few channels by backpropagation, with two matrix products per layer.

Forward, zₗ = Wₗ aₗ₋₁ + bₗ and aₗ = f(zₗ). Then backward from r = W of the last layer: sₗ = rₗ f′(zₗ) and rₗ₋₁ = sₗ Wₗ,
which ends with the gradient r₀. The adjoint of this runs through the layers in the opposite order: upward from r̄₀, the
adjoint of the gradient,

    s̄ₗ = r̄ₗ₋₁ Wₗᵀ,   W̄ₗ = sₗᵀ r̄ₗ₋₁,   r̄ₗ = s̄ₗ f′(zₗ),   and then downward from ā,   z̄ₗ = āₗ f′(zₗ) + s̄ₗ rₗ f″(zₗ),

with W̄ₗ += z̄ₗᵀ aₗ₋₁ and āₗ₋₁ = z̄ₗ Wₗ. In total there are six products per layer; the forward sweep needs 3 (d + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sinefield.jets.forward import needs_backward, split_rescale
from sinefield.jets.jet import Jet
from sinefield.networks.layers import Layer, Pointwise
from sinefield.parallel import Workspace


def propagate(layers: Sequence[Layer], x: Tensor, space: Workspace | None = None) -> Jet:
    """Return the value and gradient at points x (n, d) of a sequence of layers that `forward.supports` accepts.

    Args:
        layers: Layers, from input to output.
        x: Points, shape (n, d).
        space: Memory for temporary tensors. The next sweep with it overwrites what the backward pass of this one needs.
    """
    before, chain, after = split_rescale(layers)
    parameters = [tensor for layer in chain[::2] for tensor in (layer.weight, layer.bias)]
    inside = before(x) if before else x
    keep = needs_backward(inside, *parameters)
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
        a, layers = x, []  # activation, and for each layer (activation, derivatives f′ and f″)
        for index, (f, weight, bias) in enumerate(zip(activations, weights, biases, strict=False)):
            shape = (n, len(weight))
            z = torch.addmm(bias, a, weight.T, out=space.empty("inputs", index if keep else 0, shape, x))
            a = space.empty("states", index if keep else index % 2, shape, x)
            df = space.empty("activation derivatives", index, (1 + keep, *shape), x)
            f.write(z, (a, *df))
            layers.append((a, df))
        value = torch.addmm(biases[-1], a, weights[-1].T)
        r, rows = weights[-1][:, None], []  # r is (c, n, m); that of the last layer is the same at all points
        for index in reversed(range(len(layers))):
            weight, df = weights[index], layers[index][1]
            s = torch.mul(r, df[0], out=space.empty("s", index if keep else 0, (c, n, len(weight)), x))
            rows.append((r, s))
            r = space.empty("r", index if keep else index % 2, (c, n, weight.shape[1]), x)
            torch.mm(s.view(c * n, -1), weight, out=r.view(c * n, -1))
        if keep:
            ctx.save_for_backward(x, *weights)
            ctx.layers, ctx.rows, ctx.space = layers, rows[::-1], space
        return value, r.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, value_bar: Tensor, gradient_bar: Tensor) -> tuple[Tensor | None, ...]:
        ctx.space.check(ctx.sweep)
        x, *weights = ctx.saved_tensors
        space, (c, n, _) = ctx.space, gradient_bar.shape
        weight_bars, z_bars = [], []  # contributions of the upward pass to W̄, and to z̄ of each hidden layer
        r_bar = gradient_bar.reshape(c * n, -1)
        for index, (weight, (_, df), (r, s)) in enumerate(zip(weights, ctx.layers, ctx.rows, strict=False)):
            weight_bars.append(s.view(c * n, -1).T @ r_bar)
            shape = (c, n, len(weight))
            s_bar = space.empty("s adjoint", index % 2, shape, x)
            r_bar = torch.mm(r_bar, weight.T, out=s_bar.view(c * n, -1))
            z_bar = torch.mul(s_bar[0], r[0], out=space.empty("z adjoint", index, shape[1:], x))
            for s_bar_channel, r_channel in zip(s_bar[1:], r[1:], strict=True):
                z_bar.addcmul_(s_bar_channel, r_channel)
            z_bars.append(z_bar.mul_(df[1]))
            s_bar.mul_(df[0])  # now r_bar, which shares its memory, is the adjoint of r
        weight_bars.append(r_bar.view(c, n, -1).sum(1))

        parameter_bars: list[Tensor] = []  # from the last parameter to the first
        z_bar = value_bar
        for index in reversed(range(len(ctx.layers))):
            a, df = ctx.layers[index]
            parameter_bars += [z_bar.sum(0), weight_bars[index + 1].addmm_(z_bar.T, a)]
            a_bar = torch.mm(z_bar, weights[index + 1], out=space.empty("a adjoint", 0, tuple(a.shape), x))
            z_bar = z_bars[index].addcmul_(a_bar, df[0])
        parameter_bars += [z_bar.sum(0), weight_bars[0].addmm_(z_bar.T, x)]
        x_bar = z_bar @ weights[0] if ctx.needs_input_grad[0] else None
        return x_bar, None, None, None, *reversed(parameter_bars)
