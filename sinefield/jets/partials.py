"""Mixed directional derivatives of any order, by one forward pass through the layers.

A derivative is identified by the multiset of its directions, a sorted tuple of their numbers: (0, 0, 2) is ∂₀ ∂₀ ∂₂,
and () is the value. If a is the first element of the multiset S, the derivative of y = f(z) is

    ∂_S f(z) = ∂_{S-a} (f′(z) ∂_a z) = Σ_{R ⊆ S-a} ∂_{R+a} z · ∂_{S-a-R} f′(z),

by one application of the chain rule, then the Leibniz rule. For a single direction this is Taylor arithmetic, for
distinct directions hyper-dual arithmetic (Griewank and Walther, "Evaluating Derivatives", chapter 13; Fike and Alonso,
"The Development of Hyper-Dual Numbers", AIAA 2011).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache, reduce
from itertools import product
from math import comb
from operator import add

import torch
from torch import Tensor

from sinefield.errors import InputError
from sinefield.networks.layers import Affine, Gabor, Layer, Pointwise, RealPart, Rescale

Index = tuple[int, ...]
"""Multiset of directions that identifies a derivative, as a sorted tuple."""

Splits = tuple[tuple[int, Index, Index], ...]
"""Ways to split a multiset into two, as (multiplicity, part, rest)."""


def partials(
    layers: Sequence[Layer], x: Tensor, directions: Mapping[int, Tensor], indices: Collection[Index]
) -> dict[Index, Tensor]:
    """Return derivatives of a sequence of layers at x (…, d), each of shape (…, c).

    Args:
        layers: Layers, from input to output.
        x: Points, shape (…, d).
        directions: Direction for each number, of shape (d,) or that of x.
        indices: Derivatives to return, each a sorted tuple of numbers of directions.

    Raises:
        InputError: If x is not floating-point.
    """
    if not x.is_floating_point():
        raise InputError(f"x must be float32 or float64; it is {x.dtype}")
    # the rules for a derivative need those of all its sub-multisets
    needed = {part for index in indices for _, part, _ in _splits(index)}
    zero = x.new_zeros(x.shape[-1])
    jet = {index: directions[index[0]] if len(index) == 1 else zero for index in needed} | {(): x}
    for layer in layers:
        jet = _propagate_layer(layer, jet)
    # a derivative that is the same at all points, as before the first activation, has been kept as one row
    return {index: jet[index].expand_as(jet[()]) for index in indices}


def axis_directions(x: Tensor) -> dict[int, Tensor]:
    """Return the unit vector along each coordinate axis of x (…, d), by the number of the axis."""
    return dict(enumerate(torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)))


def _propagate_layer(layer: Layer, z: dict[Index, Tensor]) -> dict[Index, Tensor]:
    """Return the derivatives of the layer's output, given those of its input."""
    match layer:
        case Affine() | Rescale() | RealPart():
            return {index: _apply_linear(layer, part) if index else layer(part) for index, part in z.items()}
        case Pointwise():
            return _chain_rule(layer.derivatives(z[()], max(map(len, z))), z, z)
        case Gabor():
            return _gabor(layer, z)
    raise NotImplementedError(f"{type(layer).__name__} has no rule for its partial derivatives")


def _apply_linear(layer: Affine | Rescale | RealPart, dz: Tensor) -> Tensor:
    """Apply the linear part of an affine layer to a derivative."""
    match layer:
        case Affine(weight):
            return torch.nn.functional.linear(dz.to(weight.dtype) if weight.is_complex() else dz, weight)
        case Rescale(_, scale, dtype):
            return (dz * scale.to(dz.dtype)).to(dtype)
        case RealPart():
            return dz.real


def _chain_rule(f: Sequence[Tensor], z: Mapping[Index, Tensor], indices: Collection[Index]) -> dict[Index, Tensor]:
    """Return ∂_S f(z) for each S in `indices`, given f = (f(z), f′(z), …) and the derivatives of z."""
    rests = {rest for index in indices if index for _, _, rest in _splits_with_first(index)}
    f1 = _chain_rule(f[1:], z, rests) if rests else {}
    return {index: _leibniz(_splits_with_first(index), z, f1) if index else f[0] for index in indices}


def _gabor(layer: Gabor, z: dict[Index, Tensor]) -> dict[Index, Tensor]:
    """Return the derivatives of y = exp(g) with g = i ω z - s² z z̄, by the chain rule with dy/dg = y.

    The derivatives of z z̄ follow from the Leibniz rule. They are real, and so is the term subtracted from i ω z.
    """
    conjugate = {index: part.conj() for index, part in z.items()}
    g = {
        index: 1j * layer.omega * part - layer.scale**2 * _leibniz(_splits(index), z, conjugate).real
        for index, part in z.items()
        if index
    }
    y: dict[Index, Tensor] = {(): layer(z[()])}
    for index in sorted(g, key=len):
        y[index] = _leibniz(_splits_with_first(index), g, y)
    return y


def _leibniz(splits: Splits, u: Mapping[Index, Tensor], v: Mapping[Index, Tensor]) -> Tensor:
    """Return Σ multiplicity · ∂_part u · ∂_rest v over the splits."""
    products = ((count, u[part] * v[rest]) for count, part, rest in splits)
    return reduce(add, (term if count == 1 else count * term for count, term in products))


@cache
def _splits(index: Index) -> Splits:
    """Return all ways to split a multiset into (part, rest), with the number of ways to choose the part."""
    members = Counter(index)
    splits: list[tuple[int, Index, Index]] = []
    for taken in product(*(range(count + 1) for count in members.values())):
        number, part, rest = 1, index[:0], index[:0]
        for (member, count), k in zip(members.items(), taken, strict=True):
            number, part, rest = number * comb(count, k), part + (member,) * k, rest + (member,) * (count - k)
        splits.append((number, part, rest))
    return tuple(splits)


@cache
def _splits_with_first(index: Index) -> Splits:
    """Return the splits of a multiset in which the first element is always in the part."""
    return tuple((count, index[:1] + part, rest) for count, part, rest in _splits(index[1:]))
