"""The specification: a jet goes through a layer by one rule for each type of layer.

If v(x) is the input of a layer and y(x) its output, then, with one index for the channel left out,

    y = f(v),   ∇y = f′(v) ∇v,   Δy = f″(v) |∇v|² + f′(v) Δv,   Hy = f″(v) ∇v ∇vᵀ + f′(v) Hv.

The Laplacian is carried by itself, unless the Hessian is asked, whose trace it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sinefield.jets.jet import Jet, coordinates
from sinefield.networks.layers import Affine, Gabor, Layer, Pointwise, RealPart, Rescale

Tap = list[tuple[Affine, Jet, Jet]]
"""Affine layers with the jets that entered and left them: all that the derivatives by the parameters are made of."""


def propagate(layers: Sequence[Layer], x: Tensor, order: int, *, hessian: bool = False, tap: Tap | None = None) -> Jet:
    """The jet of a chain of layers at x (n, d); what goes through affine layers is added to the tap."""
    jet = coordinates(x, order, hessian=hessian)
    for layer in layers:
        before, jet = jet, through(layer, jet)
        if tap is not None and isinstance(layer, Affine):
            tap.append((layer, before, jet))
    return jet


def through(layer: Layer, jet: Jet) -> Jet:
    """The jet of the layer's output, from the jet of its input."""
    match layer:
        case Affine():
            return _linear(jet, layer, lambda t: torch.einsum("oi,ni...->no...", layer.weight, _like(t, layer.weight)))
        case Rescale():
            scale = layer.scale.to(layer.dtype)
            return _linear(jet, layer, lambda t: _channelwise(scale, t.to(layer.dtype)) * t.to(layer.dtype))
        case RealPart():
            return _linear(jet, layer, lambda t: t.real)
        case Pointwise():
            return _pointwise(jet, layer)
        case Gabor():
            return _gabor(jet, layer)
    raise NotImplementedError(f"{type(layer).__name__} has no rule for its jet")


def _linear(jet: Jet, layer: Layer, linear: Callable[[Tensor], Tensor]) -> Jet:
    """A layer whose derivative is the same linear map everywhere."""
    return Jet(layer(jet.value), *(None if part is None else linear(part) for part in jet[1:]))


def _pointwise(jet: Jet, layer: Pointwise) -> Jet:
    """Element by element, y = f(v)."""
    if jet.gradient is None:
        return Jet(layer(jet.value))
    if jet.laplacian is None and jet.hessian is None:
        f, f1 = layer.derivatives(jet.value, 1)
        return Jet(f, _channelwise(f1, jet.gradient) * jet.gradient)
    f, f1, f2 = layer.derivatives(jet.value, 2)
    return Jet(
        f,
        _channelwise(f1, jet.gradient) * jet.gradient,
        jet.laplacian if jet.laplacian is None else f2 * jet.gradient.square().sum(-1) + f1 * jet.laplacian,
        jet.hessian
        if jet.hessian is None
        else _channelwise(f2, jet.hessian) * _outer(jet.gradient) + _channelwise(f1, jet.hessian) * jet.hessian,
    )


def _gabor(jet: Jet, layer: Gabor) -> Jet:
    """y = exp(g) with g = i ω z - s² z z̄, so ∂y = y ∂g and ∂ⱼ∂ₖy = y (∂ⱼg ∂ₖg + ∂ⱼ∂ₖg).

    ∂g = i ω ∂z - 2 s² Re(z̄ ∂z) and ∂ⱼ∂ₖg = i ω ∂ⱼ∂ₖz - 2 s² Re(z̄ ∂ⱼ∂ₖz + ∂ⱼz̄ ∂ₖz).
    """
    y, z, s2 = layer(jet.value), jet.value, layer.scale**2
    if jet.gradient is None:
        return Jet(y)

    def slope(dz: Tensor) -> Tensor:
        return 1j * layer.omega * dz - 2 * s2 * (_channelwise(z.conj(), dz) * dz).real

    g1 = slope(jet.gradient)
    gradient = _channelwise(y, g1) * g1
    laplacian = hessian = None
    if jet.laplacian is not None:
        g2 = slope(jet.laplacian) - 2 * s2 * (jet.gradient * jet.gradient.conj()).real.sum(-1)
        laplacian = y * ((g1 * g1).sum(-1) + g2)
    if jet.hessian is not None:
        cross = jet.gradient.conj()[..., :, None] * jet.gradient[..., None, :]
        g2 = slope(jet.hessian) - 2 * s2 * cross.real
        hessian = _channelwise(y, g2) * (_outer(g1) + g2)
    return Jet(y, gradient, laplacian, hessian)


def _channelwise(factor: Tensor, part: Tensor) -> Tensor:
    """(n, c) or (c,) with as many axes after it as a jet's part (n, c, …) has."""
    return factor[(..., *[None] * (part.ndim - 2))]


def _outer(gradient: Tensor) -> Tensor:
    return gradient[..., :, None] * gradient[..., None, :]


def _like(part: Tensor, weight: Tensor) -> Tensor:
    return part.to(weight.dtype) if weight.is_complex() else part
