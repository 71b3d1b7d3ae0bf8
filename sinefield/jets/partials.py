"""Mixed directional derivatives of any order, carried through a chain of layers in one forward pass.

A derivative is named by the multiset of its directions, as a sorted tuple: (0, 0, 2) is ∂₀ ∂₀ ∂₂, and () the value.
If a is the first direction of S, then y = f(z) has

    ∂_S f(z) = ∂_{S-a} (f′(z) ∂_a z) = Σ_{R ⊆ S-a} ∂_{R+a} z · ∂_{S-a-R} f′(z),

the chain rule once and Leibniz's rule for the rest. For one direction this is Taylor arithmetic, for directions that
all differ it is the arithmetic of hyper-dual numbers (Griewank and Walther, "Evaluating Derivatives", chapter 13;
Fike and Alonso, "The Development of Hyper-Dual Numbers", AIAA 2011).
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
Splits = tuple[tuple[int, Index, Index], ...]


def partials(
    layers: Sequence[Layer], x: Tensor, directions: Mapping[int, Tensor], wanted: Collection[Index]
) -> dict[Index, Tensor]:
    """The wanted derivatives of a chain of layers at x (…, d), each (…, c).

    Args:
        directions: by their number, each of shape (d,) or like x.
        wanted: multisets of these numbers, as sorted tuples.

    Raises:
        InputError: points that are whole numbers, which have no derivative.
    """
    if not x.is_floating_point():
        raise InputError(f"x must be float32 or float64; it is {x.dtype}")
    # the rules need every derivative that is a part of a wanted one
    indices = {part for index in wanted for _, part, _ in _splits(index)}
    zero = x.new_zeros(x.shape[-1])
    jet = {index: directions[index[0]] if len(index) == 1 else zero for index in indices} | {(): x}
    for layer in layers:
        jet = _through(layer, jet)
    # what is the same at every point, as it is up to the first activation, has been one row until here
    return {index: jet[index].expand_as(jet[()]) for index in wanted}


def axes(x: Tensor) -> dict[int, Tensor]:
    """The directions of the coordinates of x (…, d)."""
    return dict(enumerate(torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)))


def _through(layer: Layer, z: dict[Index, Tensor]) -> dict[Index, Tensor]:
    """The derivatives of a layer's output, from those of its input."""
    match layer:
        case Affine() | Rescale() | RealPart():
            return {index: _slope(layer, part) if index else layer(part) for index, part in z.items()}
        case Pointwise():
            return _chain_rule(layer.derivatives(z[()], max(map(len, z))), z, z)
        case Gabor():
            return _gabor(layer, z)
    raise NotImplementedError(f"{type(layer).__name__} has no rule for its partial derivatives")


def _slope(layer: Affine | Rescale | RealPart, dz: Tensor) -> Tensor:
    """dz through a layer whose derivative is the same linear map everywhere."""
    match layer:
        case Affine(weight):
            return torch.nn.functional.linear(dz.to(weight.dtype) if weight.is_complex() else dz, weight)
        case Rescale(_, scale, dtype):
            return (dz * scale.to(dz.dtype)).to(dtype)
        case RealPart():
            return dz.real


def _chain_rule(f: Sequence[Tensor], z: Mapping[Index, Tensor], indices: Collection[Index]) -> dict[Index, Tensor]:
    """∂_S f(z) for every S of the indices, from f(z), f′(z), … and the derivatives of z."""
    rests = {rest for index in indices if index for _, _, rest in _with_first(index)}
    slope = _chain_rule(f[1:], z, rests) if rests else {}
    return {index: _leibniz(_with_first(index), z, slope) if index else f[0] for index in indices}


def _gabor(layer: Gabor, z: dict[Index, Tensor]) -> dict[Index, Tensor]:
    """y = exp(g) with g = i ω z - s² z z̄: the chain rule as above, where the slope of y by g is y itself.

    ∂_S (z z̄) goes by Leibniz's rule; it is real, and so is what is subtracted.
    """
    conjugate = {index: part.conj() for index, part in z.items()}
    g = {
        index: 1j * layer.omega * part - layer.scale**2 * _leibniz(_splits(index), z, conjugate).real
        for index, part in z.items()
        if index
    }
    y: dict[Index, Tensor] = {(): layer(z[()])}
    for index in sorted(g, key=len):
        y[index] = _leibniz(_with_first(index), g, y)
    return y


def _leibniz(splits: Splits, u: Mapping[Index, Tensor], v: Mapping[Index, Tensor]) -> Tensor:
    """Σ count · ∂_part u · ∂_rest v."""
    products = ((count, u[part] * v[rest]) for count, part, rest in splits)
    return reduce(add, (one if count == 1 else count * one for count, one in products))


@cache
def _splits(index: Index) -> Splits:
    """All ways to part a multiset in two, (part, rest), and in how many ways its members can be taken so."""
    members = Counter(index)
    ways: list[tuple[int, Index, Index]] = []
    for taken in product(*(range(count + 1) for count in members.values())):
        number, part, rest = 1, index[:0], index[:0]
        for (member, count), k in zip(members.items(), taken, strict=True):
            number, part, rest = number * comb(count, k), part + (member,) * k, rest + (member,) * (count - k)
        ways.append((number, part, rest))
    return tuple(ways)


@cache
def _with_first(index: Index) -> Splits:
    """Those ways in which the first member is in the part, for good."""
    return tuple((count, index[:1] + part, rest) for count, part, rest in _splits(index[1:]))
