"""The forward sweep: value, tangents and Laplacian go through a layer together, in one stacked product.

The state is S = (a, A₁ … A_d, L), stacked to (d + 2, n, m); without the Laplacian it is (d + 1, n, m), for the value
alone (1, n, m). With Z = S Wᵀ and z = Z₀ + b a hidden layer gives

    a = f(z),   Aᵢ = f′(z) Zᵢ,   L = f″(z) q + f′(z) Z_L   with   q = Σᵢ Zᵢ²,

and its adjoint, for the incoming ā, Āᵢ, L̄, is written out, so that training through a jet is one plain backward pass:

    Z̄ᵢ = f′ Āᵢ + 2 f″ L̄ Zᵢ,   Z̄_L = f′ L̄,   z̄ = f′ ā + f″ (Σᵢ Zᵢ Āᵢ + Z_L L̄) + f‴ q L̄.

In the first layer the tangents Zᵢ are the columns of W, the same at every point, and Z_L = 0.
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
    """The jet of a chain that `covers` covers, of order 0, 1 or 2 (with the Laplacian, not the Hessian), at x (n, d).

    Args:
        space: memory to use; what is kept there for the backward pass is gone with the next sweep in it.
    """
    before, chain, after = parts(layers)
    parameters = [tensor for layer in chain[::2] for tensor in (layer.weight, layer.bias)]
    inside = before(x) if before else x
    scale = before.scale.to(inside.dtype) if before else torch.ones_like(x[0])
    keep = keeps(inside, *parameters)
    state = _Sweep.apply(inside, order, scale, tuple(chain[1::2]), space or Workspace(), keep, *parameters)
    value, derived = state[0], state[1:]
    if after:
        value, derived = after(value), derived.to(after.dtype) * after.scale.to(after.dtype)
    d = x.shape[-1]
    return Jet(
        value,
        derived[:d].permute(1, 2, 0) if order >= 1 else None,
        derived[d] if order == 2 else None,
    )


def covers(layers: Sequence[Layer]) -> bool:
    """Whether a chain is affine, pointwise, affine, …, affine, with at most a rescaling before and after."""
    _, chain, _ = parts(layers)
    kinds = [Affine if index % 2 == 0 else Pointwise for index in range(len(chain))]
    return len(chain) % 2 == 1 and len(chain) > 1 and all(map(isinstance, chain, kinds))


def parts(layers: Sequence[Layer]) -> tuple[Rescale | None, list[Any], Rescale | None]:
    """The rescaling before, the chain, the rescaling after."""
    chain = list(layers)
    first = chain.pop(0) if chain and isinstance(chain[0], Rescale) else None
    last = chain.pop() if chain and isinstance(chain[-1], Rescale) else None
    return (first if isinstance(first, Rescale) else None), chain, (last if isinstance(last, Rescale) else None)


def keeps(*tensors: Tensor) -> bool:
    """Whether a backward pass may come, for which a sweep has to keep what it went through."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


class _Sweep(torch.autograd.Function):
    """(x, W₁, b₁, W₂, b₂, …) ↦ the last layer's state (k, n, c), k = 1, d + 1 or d + 2."""

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
            # what no adjoint will ask for is overwritten by the next layer but one
            at, m = (index if keep else index % 2), len(weight)
            if index == 0:
                z = torch.addmm(bias, x, weight.T, out=space.empty("inputs", at, (n, m), x))
                tangents, last = (weight * scale).T[:, None], None
            else:
                inputs = space.empty("inputs", at, (k, n, m), x)
                torch.mm(state.view(k * n, -1), weight.T, out=inputs.view(k * n, m))
                z, tangents, last = inputs[0].add_(bias), inputs[1 : d + 1], inputs[d + 1 :]
            state = space.empty("states", at, (k, n, m), x)
            slopes = space.empty("slopes", at, (order + keep, n, m), x)
            f.write(z, (state[0], *slopes))
            square = None
            if order >= 1:
                torch.mul(tangents, slopes[0], out=state[1 : d + 1])
            if order == 2:
                square = space.empty("squares", at, (tangents.shape[1], m), x)
                torch.mul(tangents[0], tangents[0], out=square)
                for tangent in tangents[1:]:
                    square.addcmul_(tangent, tangent)
                torch.mul(slopes[1], square, out=state[-1])
                if last is not None:
                    state[-1].addcmul_(last[0], slopes[0])
            if keep:
                layers.append((state, slopes, square, tangents, last))
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
        bars: list[Tensor] = []  # from the last parameter to the first
        incoming = result_bar.reshape(k * n, -1)
        for index in reversed(range(len(ctx.layers))):
            state, slopes, square, tangents, last = ctx.layers[index]
            m = state.shape[-1]
            bars += [incoming[:n].sum(0), incoming.T @ state.view(k * n, m)]
            adjoint = space.empty("adjoints", index % 2, (k, n, m), x)
            incoming = torch.mm(incoming, weights[index + 1], out=adjoint.view(k * n, m))
            bend = _activation_adjoint(adjoint, slopes, square, tangents, last, d, space)
            if index == 0 and order >= 1:
                slope_bar = adjoint[1 : d + 1].sum(1)
                if bend is not None:
                    slope_bar.addcmul_(tangents[:, 0], bend.sum(0))
        z_bar = incoming[:n]
        first = z_bar.T @ x
        if order >= 1:
            first.addcmul_(slope_bar.T, scale)
        bars += [z_bar.sum(0), first]
        x_bar = z_bar @ weights[0] if ctx.needs_input_grad[0] else None
        return x_bar, None, None, None, None, None, *reversed(bars)


def _activation_adjoint(
    adjoint: Tensor,
    slopes: Tensor,
    square: Tensor | None,
    tangents: Tensor,
    last: Tensor | None,
    d: int,
    space: Workspace,
) -> Tensor | None:
    """From the adjoint of S to that of Z, in place; returns 2 f″ L̄, which the first layer has yet to use."""
    f1, order, shape = slopes[0], len(slopes) - 1, adjoint.shape[1:]
    if order == 0:
        adjoint.mul_(f1)
        return None
    f2, along = slopes[1], space.empty("along", 0, shape, adjoint)
    torch.mul(tangents[0], adjoint[1], out=along)
    for tangent, bar in zip(tangents[1:], adjoint[2 : d + 1], strict=True):
        along.addcmul_(tangent, bar)
    if order == 1:
        adjoint.mul_(f1)
        adjoint[0].addcmul_(f2, along)
        return None
    assert square is not None
    last_bar, bend = adjoint[-1], space.empty("bend", 0, shape, adjoint)
    torch.mul(f2, last_bar, out=bend).mul_(2)
    third = torch.mul(square, last_bar, out=space.empty("third", 0, shape, adjoint))
    if last is not None:
        along.addcmul_(last[0], last_bar)
    adjoint.mul_(f1)
    adjoint[0].addcmul_(f2, along).addcmul_(slopes[2], third)
    if last is not None:
        adjoint[1 : d + 1].addcmul_(tangents, bend)
    return bend
