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

from sinefield.fields.layers import Affine, Layer, Pointwise, Rescale
from sinefield.jets.jet import Jet


def propagate(layers: Sequence[Layer], x: Tensor) -> Jet:
    """Value and gradient of a chain that `covers` covers at x (n, d)."""
    before, chain, after = _parts(layers)
    affine, activations = chain[::2], tuple(chain[1::2])
    inside = before[0](x) if before else x
    parameters = [tensor for layer in affine for tensor in (layer.weight, layer.bias)]
    value, gradient, *_ = _Sweep.apply(inside, activations, *parameters)
    if before:
        gradient = gradient * before[0].scale.to(gradient.dtype)
    if after:
        value, gradient = after[0](value), gradient * after[0].scale.to(gradient.dtype)[:, None, None]
    return Jet(value, gradient.transpose(0, 1))


def covers(layers: Sequence[Layer]) -> bool:
    """Whether a chain is affine, pointwise, affine, …, affine, with at most a rescaling before and after."""
    _, chain, _ = _parts(layers)
    kinds = [Affine if index % 2 == 0 else Pointwise for index in range(len(chain))]
    return len(chain) % 2 == 1 and all(map(isinstance, chain, kinds))


def _parts(layers: Sequence[Layer]) -> tuple[list[Any], list[Any], list[Any]]:
    """The rescaling before, the chain, the rescaling after."""
    inner = list(layers)
    before = [inner.pop(0)] if inner and isinstance(inner[0], Rescale) else []
    after = [inner.pop()] if inner and isinstance(inner[-1], Rescale) else []
    return before, inner, after


class _Sweep(torch.autograd.Function):
    """(x, f, W₁, b₁, W₂, b₂, …) ↦ value (n, c), gradient (c, n, d), and what the adjoint needs of each hidden layer."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, activations: tuple[Pointwise, ...], *parameters: Tensor) -> tuple[Tensor, ...]:
        weights, biases = parameters[::2], parameters[1::2]
        a, values, slopes, bends, rows = x, [], [], [], []
        for f, weight, bias in zip(activations, weights, biases, strict=False):
            a, slope, bend = f.derivatives(torch.nn.functional.linear(a, weight, bias), 2)
            values.append(a)
            slopes.append(slope)
            bends.append(bend)
        value = torch.nn.functional.linear(a, weights[-1], biases[-1])
        row = weights[-1][:, None].expand(-1, len(x), -1)  # (c, n, width)
        for weight, slope in zip(reversed(weights[:-1]), reversed(slopes), strict=True):
            rows.append(row)
            row = (row * slope) @ weight
        return value, row, *values, *slopes, *bends, *reversed(rows)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, _, *parameters = inputs
        ctx.mark_non_differentiable(*output[2:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, *parameters[::2], *output[2:])
        ctx.hidden = len(parameters) // 2 - 1

    @staticmethod
    def backward(ctx: Any, value_bar: Tensor | None, gradient_bar: Tensor | None, *_: None) -> tuple[Any, ...]:
        hidden = ctx.hidden
        x, *saved = ctx.saved_tensors
        weights, saved = saved[: hidden + 1], saved[hidden + 1 :]
        values, slopes, bends, rows = (saved[k * hidden : (k + 1) * hidden] for k in range(4))
        weight_bars: list[Any] = [None] * (hidden + 1)
        bias_bars: list[Any] = [None] * (hidden + 1)
        bent: list[Any] = [None] * hidden
        if gradient_bar is not None:
            row_bar = gradient_bar
            for index, (weight, slope, bend, row) in enumerate(zip(weights, slopes, bends, rows, strict=False)):
                weight_bars[index] = _outer(row * slope, row_bar)
                back = row_bar @ weight.T
                bent[index] = (back * row).sum(0) * bend
                row_bar = back * slope
            weight_bars[-1] = row_bar.sum(1)
        z_bar = value_bar
        for index in reversed(range(hidden + 1)):
            if z_bar is not None:
                weight_bars[index] = _add(weight_bars[index], z_bar.T @ (values[index - 1] if index else x))
                bias_bars[index] = z_bar.sum(0)
            a_bar = None if z_bar is None else z_bar @ weights[index]
            if index:
                z_bar = bent[index - 1] if a_bar is None else _add(bent[index - 1], a_bar * slopes[index - 1])
        pairs = [bar for pair in zip(weight_bars, bias_bars, strict=True) for bar in pair]
        return a_bar, None, *pairs


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Σ over channels and points of left (c, n, a) and right (c, n, b): (a, b)."""
    return left.flatten(0, 1).T @ right.flatten(0, 1)


def _add(one: Tensor | None, two: Tensor) -> Tensor:
    return two if one is None else one + two
