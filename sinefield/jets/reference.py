"""Reference implementation of jet propagation: one derivative rule for each type of layer.

For a layer y = f(v), with v and y as functions of x and the channel index omitted,

    y = f(v),   ∇y = f′(v) ∇v,   Δy = f″(v) |∇v|² + f′(v) Δv,   Hy = f″(v) ∇v ∇vᵀ + f′(v) Hv.

The Laplacian is propagated on its own, unless the Hessian is requested, of which it is the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sinefield.jets.jet import Jet, coordinates
from sinefield.networks.layers import Affine, Gabor, Layer, Pointwise, RealPart, Rescale

Tap = list[tuple[Affine, Jet, Jet]]
"""Affine layers with the jets of their input and output, from which all parameter derivatives can be computed."""


def propagate(layers: Sequence[Layer], x: Tensor, order: int, *, hessian: bool = False, tap: Tap | None = None) -> Jet:
    """Return the jet of a sequence of layers at points x (n, d).

    Args:
        layers: Layers, from input to output.
        x: Points, shape (n, d).
        order: Order of the highest derivative: 0, 1 or 2.
        hessian: Whether to propagate the Hessian instead of the Laplacian, for order 2.
        tap: List to which each affine layer is appended, with the jets of its input and output.
    """
    jet = coordinates(x, order, hessian=hessian)
    for layer in layers:
        before, jet = jet, propagate_layer(layer, jet)
        if tap is not None and isinstance(layer, Affine):
            tap.append((layer, before, jet))
    return jet


def propagate_layer(layer: Layer, jet: Jet) -> Jet:
    """Return the jet of the layer's output, given that of its input."""
    match layer:
        case Affine():
            return _affine(jet, layer, lambda t: torch.einsum("oi,ni...->no...", layer.weight, _like(t, layer.weight)))
        case Rescale():
            scale = layer.scale.to(layer.dtype)
            return _affine(jet, layer, lambda t: _broadcast(scale, t.to(layer.dtype)) * t.to(layer.dtype))
        case RealPart():
            return _affine(jet, layer, lambda t: t.real)
        case Pointwise():
            return _pointwise(jet, layer)
        case Gabor():
            return _gabor(jet, layer)
    raise NotImplementedError(f"{type(layer).__name__} has no rule for its jet")


def _affine(jet: Jet, layer: Layer, linear: Callable[[Tensor], Tensor]) -> Jet:
    """Return the jet of an affine layer with the given linear part."""
    return Jet(layer(jet.value), *(None if part is None else linear(part) for part in jet[1:]))


def _pointwise(jet: Jet, layer: Pointwise) -> Jet:
    """Return the jet of an elementwise layer y = f(v)."""
    if jet.gradient is None:
        return Jet(layer(jet.value))
    if jet.laplacian is None and jet.hessian is None:
        f, f1 = layer.derivatives(jet.value, 1)
        return Jet(f, _broadcast(f1, jet.gradient) * jet.gradient)
    f, f1, f2 = layer.derivatives(jet.value, 2)
    return Jet(
        f,
        _broadcast(f1, jet.gradient) * jet.gradient,
        jet.laplacian if jet.laplacian is None else f2 * jet.gradient.square().sum(-1) + f1 * jet.laplacian,
        jet.hessian
        if jet.hessian is None
        else _broadcast(f2, jet.hessian) * _outer(jet.gradient) + _broadcast(f1, jet.hessian) * jet.hessian,
    )


def _gabor(jet: Jet, layer: Gabor) -> Jet:
    """Return the jet of y = exp(g) with g = i ω z - s² z z̄, so that ∂y = y ∂g and ∂ⱼ∂ₖy = y (∂ⱼg ∂ₖg + ∂ⱼ∂ₖg).

    ∂g = i ω ∂z - 2 s² Re(z̄ ∂z) and ∂ⱼ∂ₖg = i ω ∂ⱼ∂ₖz - 2 s² Re(z̄ ∂ⱼ∂ₖz + ∂ⱼz̄ ∂ₖz).
    """
    y, z, s2 = layer(jet.value), jet.value, layer.scale**2
    if jet.gradient is None:
        return Jet(y)

    def first_order(dz: Tensor) -> Tensor:
        return 1j * layer.omega * dz - 2 * s2 * (_broadcast(z.conj(), dz) * dz).real

    g1 = first_order(jet.gradient)
    gradient = _broadcast(y, g1) * g1
    laplacian = hessian = None
    if jet.laplacian is not None:
        g2 = first_order(jet.laplacian) - 2 * s2 * (jet.gradient * jet.gradient.conj()).real.sum(-1)
        laplacian = y * ((g1 * g1).sum(-1) + g2)
    if jet.hessian is not None:
        mixed = jet.gradient.conj()[..., :, None] * jet.gradient[..., None, :]
        g2 = first_order(jet.hessian) - 2 * s2 * mixed.real
        hessian = _broadcast(y, g2) * (_outer(g1) + g2)
    return Jet(y, gradient, laplacian, hessian)


def _broadcast(factor: Tensor, part: Tensor) -> Tensor:
    """Append axes to a factor (n, c) or (c,), so that it broadcasts with a part (n, c, …) of a jet."""
    return factor[(..., *[None] * (part.ndim - 2))]


def _outer(gradient: Tensor) -> Tensor:
    return gradient[..., :, None] * gradient[..., None, :]


def _like(part: Tensor, weight: Tensor) -> Tensor:
    return part.to(weight.dtype) if weight.is_complex() else part
