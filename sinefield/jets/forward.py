"""The forward sweep: value, tangents and Laplacian pass through each layer by one stacked matrix product.

The state S = (a, A₁ … A_d, L) is a tensor (d + 2, n, m) of the activations of m units at n points, their derivatives
along the d axes, and their Laplacian; (d + 1, n, m) without the Laplacian, (1, n, m) for the value only. With
Z = S Wᵀ and z = Z₀ + b, a hidden layer gives

    a = f(z),   Aᵢ = f′(z) Zᵢ,   L = f″(z) q + f′(z) Z_L   with   q = Σᵢ Zᵢ².

The backward pass is implemented explicitly, so that training through a jet needs only one. From the adjoints ā, Āᵢ, L̄
it computes

    Z̄ᵢ = f′ Āᵢ + 2 f″ L̄ Zᵢ,   Z̄_L = f′ L̄,   z̄ = f′ ā + f″ (Σᵢ Zᵢ Āᵢ + Z_L L̄) + f‴ q L̄.

In the first layer the tangents Zᵢ are the columns of W, the same at all points, and Z_L = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sinefield.jets.jet import Jet
from sinefield.networks.layers import Affine, Layer, Pointwise, Rescale
from sinefield.parallel import Workspace


def propagate(layers: Sequence[Layer], x: Tensor, order: int, space: Workspace | None = None) -> Jet:
    """Return the jet at points x (n, d) of a sequence of layers that `supports` accepts.

    Args:
        layers: Layers, from input to output.
        x: Points, shape (n, d).
        order: Order of the highest derivative: 0, 1 or 2; for 2 the jet has the Laplacian, not the Hessian.
        space: Memory for temporary tensors. The next sweep with it overwrites what the backward pass of this one needs.
    """
    before, chain, after = split_rescale(layers)
    parameters = [tensor for layer in chain[::2] for tensor in (layer.weight, layer.bias)]
    inside = before(x) if before else x
    scale = before.scale.to(inside.dtype) if before else torch.ones_like(x[0])
    keep = needs_backward(inside, *parameters)
    state = _Sweep.apply(inside, order, scale, tuple(chain[1::2]), space or Workspace(), keep, *parameters)
    value, derivatives = state[0], state[1:]
    if after:
        value, derivatives = after(value), derivatives.to(after.dtype) * after.scale.to(after.dtype)
    d = x.shape[-1]
    return Jet(
        value,
        derivatives[:d].permute(1, 2, 0) if order >= 1 else None,
        derivatives[d] if order == 2 else None,
    )


def supports(layers: Sequence[Layer]) -> bool:
    """Return whether layers are affine, pointwise, …, affine in turn, with at most a `Rescale` before and after."""
    _, chain, _ = split_rescale(layers)
    kinds = [Affine if index % 2 == 0 else Pointwise for index in range(len(chain))]
    return len(chain) % 2 == 1 and len(chain) > 1 and all(map(isinstance, chain, kinds))


def split_rescale(layers: Sequence[Layer]) -> tuple[Rescale | None, list[Any], Rescale | None]:
    """Split layers into a leading `Rescale` if there is one, the layers between, and a trailing `Rescale`."""
    chain = list(layers)
    first = chain.pop(0) if chain and isinstance(chain[0], Rescale) else None
    last = chain.pop() if chain and isinstance(chain[-1], Rescale) else None
    return (first if isinstance(first, Rescale) else None), chain, (last if isinstance(last, Rescale) else None)


def needs_backward(*tensors: Tensor) -> bool:
    """Return whether a backward pass is possible, for which a sweep must keep its intermediate results."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


class _Sweep(torch.autograd.Function):
    """(x, W₁, b₁, W₂, b₂, …) ↦ state (k, n, c) of the last layer, with k = 1, d + 1 or d + 2 for order 0, 1 or 2."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        order: int,
        scale: Tensor,
        activations: tuple[Pointwise, ...],
        space: Workspace,
        keep: bool,
        *parameters: Tensor,
    ) -> Tensor:
        weights, biases, (n, d) = parameters[::2], parameters[1::2], x.shape
        k, layers, state = (1, d + 1, d + 2)[order], [], x
        ctx.sweep = space.begin()
        for index, (f, weight, bias) in enumerate(zip(activations, weights, biases, strict=False)):
            # without a backward pass, two buffers are enough: a layer overwrites that of the layer before the last
            slot, m = (index if keep else index % 2), len(weight)
            if index == 0:
                z = torch.addmm(bias, x, weight.T, out=space.empty("inputs", slot, (n, m), x))
                tangents, z_laplacian = (weight * scale).T[:, None], None
            else:
                inputs = space.empty("inputs", slot, (k, n, m), x)
                torch.mm(state.view(k * n, -1), weight.T, out=inputs.view(k * n, m))
                z, tangents, z_laplacian = inputs[0].add_(bias), inputs[1 : d + 1], inputs[d + 1 :]
            state = space.empty("states", slot, (k, n, m), x)
            df = space.empty("activation derivatives", slot, (order + keep, n, m), x)
            f.write(z, (state[0], *df))
            square = _propagate_derivatives(state, df, tangents, z_laplacian, order, slot, space)
            if keep:
                layers.append((state, df, square, tangents, z_laplacian))
        result = (state.view(k * n, -1) @ weights[-1].T).view(k, n, -1)
        result[0] += biases[-1]
        if keep:
            ctx.save_for_backward(x, scale, *weights)
            ctx.layers, ctx.space, ctx.order = layers, space, order
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, result_bar: Tensor) -> tuple[Tensor | None, ...]:
        ctx.space.check(ctx.sweep)
        x, scale, *weights = ctx.saved_tensors
        (k, n, _), d, order, space = result_bar.shape, x.shape[1], ctx.order, ctx.space
        parameter_bars: list[Tensor] = []  # from the last parameter to the first
        state_bar = result_bar.reshape(k * n, -1)
        for index in reversed(range(len(ctx.layers))):
            state, df, square, tangents, z_laplacian = ctx.layers[index]
            m = state.shape[-1]
            parameter_bars += [state_bar[:n].sum(0), state_bar.T @ state.view(k * n, m)]
            adjoint = space.empty("adjoints", index % 2, (k, n, m), x)
            state_bar = torch.mm(state_bar, weights[index + 1], out=adjoint.view(k * n, m))
            curvature = _activation_adjoint(adjoint, df, square, tangents, z_laplacian, d, space)
            if index == 0 and order >= 1:
                tangents_bar = adjoint[1 : d + 1].sum(1)
                if curvature is not None:
                    tangents_bar.addcmul_(tangents[:, 0], curvature.sum(0))
        z_bar = state_bar[:n]
        first_weight_bar = z_bar.T @ x
        if order >= 1:
            first_weight_bar.addcmul_(tangents_bar.T, scale)
        parameter_bars += [z_bar.sum(0), first_weight_bar]
        x_bar = z_bar @ weights[0] if ctx.needs_input_grad[0] else None
        return x_bar, None, None, None, None, None, *reversed(parameter_bars)


def _propagate_derivatives(
    state: Tensor,
    df: Tensor,
    tangents: Tensor,
    z_laplacian: Tensor | None,
    order: int,
    slot: int,
    space: Workspace,
) -> Tensor | None:
    """Write the tangents Aᵢ and the Laplacian L into the state, given df = (f′(z), f″(z)); return q for order 2.

    Args:
        state: State S, whose value a is already written.
        df: Derivatives f′(z), f″(z), … of the activation, as many as are needed.
        tangents: Zᵢ.
        z_laplacian: Z_L, shape (1, n, m) or empty; None for the first layer, where it is zero.
        order: Order of the highest derivative.
        slot: Index of the buffers of this layer.
        space: Memory for q.
    """
    d, m = len(tangents), state.shape[-1]
    if order >= 1:
        torch.mul(tangents, df[0], out=state[1 : d + 1])
    if order < 2:
        return None
    square = space.empty("squares", slot, (tangents.shape[1], m), state)
    torch.mul(tangents[0], tangents[0], out=square)
    for tangent in tangents[1:]:
        square.addcmul_(tangent, tangent)
    torch.mul(df[1], square, out=state[-1])
    if z_laplacian is not None:
        state[-1].addcmul_(z_laplacian[0], df[0])
    return square


def _activation_adjoint(
    adjoint: Tensor,
    df: Tensor,
    square: Tensor | None,
    tangents: Tensor,
    z_laplacian: Tensor | None,
    d: int,
    space: Workspace,
) -> Tensor | None:
    """Convert the adjoint of S to that of Z in place; return 2 f″ L̄, which the first layer still needs, for order 2."""
    f1, order, shape = df[0], len(df) - 1, adjoint.shape[1:]
    if order == 0:
        adjoint.mul_(f1)
        return None
    # Σᵢ Zᵢ Āᵢ, to which Z_L L̄ is added below
    f2, inner = df[1], space.empty("inner", 0, shape, adjoint)
    torch.mul(tangents[0], adjoint[1], out=inner)
    for tangent, bar in zip(tangents[1:], adjoint[2 : d + 1], strict=True):
        inner.addcmul_(tangent, bar)
    if order == 1:
        adjoint.mul_(f1)
        adjoint[0].addcmul_(f2, inner)
        return None
    assert square is not None
    laplacian_bar, curvature = adjoint[-1], space.empty("curvature", 0, shape, adjoint)
    torch.mul(f2, laplacian_bar, out=curvature).mul_(2)
    third = torch.mul(square, laplacian_bar, out=space.empty("third", 0, shape, adjoint))
    if z_laplacian is not None:
        inner.addcmul_(z_laplacian[0], laplacian_bar)
    adjoint.mul_(f1)
    adjoint[0].addcmul_(f2, inner).addcmul_(df[2], third)
    if z_laplacian is not None:
        adjoint[1 : d + 1].addcmul_(tangents, curvature)
    return curvature
