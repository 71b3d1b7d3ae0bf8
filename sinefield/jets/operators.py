"""The operators of vector calculus, read from a jet, so that an equation in code looks like the equation.

A scalar has the shape (n, 1), a vector (n, d), so that results add up without a surprise of broadcasting. Derivatives
are by the coordinates in their own order: axis j of a vector goes with coordinate j, in a picture (y, x).

>>> import torch
>>> from sinefield.fields import Siren
>>> from sinefield.jets import propagate
>>> velocity = propagate(Siren(2, 2, width=16), torch.rand(5, 2), order=1)
>>> divergence(velocity).shape, curl(velocity).shape
(torch.Size([5, 1]), torch.Size([5, 1]))
"""

from __future__ import annotations

from functools import reduce
from itertools import combinations
from operator import add

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.jets import Jet, taylor


def gradient(jet: Jet) -> Float[Tensor, "n d"]:
    """The gradient of a scalar field: (∇Φ)ⱼ = ∂Φ/∂xⱼ.

    Args:
        jet: of order 1 or more, of one channel.

    Returns:
        A vector, shape (n, d).

    Raises:
        InputError: a jet without gradient, or of several channels, which have a Jacobian.

    >>> gradient(Jet(torch.zeros(5, 1), torch.zeros(5, 1, 2))).shape
    torch.Size([5, 2])
    """
    first = _first(jet, "gradient")
    if first.shape[1] != 1:
        raise InputError(f"gradient needs a field of one channel; it has {first.shape[1]}, take jacobian")
    return first[:, 0]


def jacobian(jet: Jet) -> Float[Tensor, "n c d"]:
    """The Jacobian: Jᵢⱼ = ∂Φᵢ/∂xⱼ.

    Args:
        jet: of order 1 or more.

    Returns:
        Shape (n, c, d).

    Raises:
        InputError: a jet without gradient.

    >>> jacobian(Jet(torch.zeros(5, 3), torch.zeros(5, 3, 2))).shape
    torch.Size([5, 3, 2])
    """
    return _first(jet, "jacobian")


def divergence(jet: Jet) -> Float[Tensor, "n 1"]:
    """The divergence of a vector field: ∇·Φ = Σⱼ ∂Φⱼ/∂xⱼ.

    Args:
        jet: of order 1 or more, with as many channels as coordinates.

    Returns:
        A scalar, shape (n, 1).

    Raises:
        InputError: a jet without gradient, or c ≠ d.

    >>> divergence(Jet(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])))
    tensor([[5.]])
    """
    first = _first(jet, "divergence")
    if first.shape[1] != first.shape[2]:
        raise InputError(f"divergence needs as many channels as coordinates; there are {_sizes(first)}")
    return first.diagonal(dim1=1, dim2=2).sum(-1, keepdim=True)


def curl(jet: Jet) -> Float[Tensor, "n k"]:
    """The curl of a vector field in the plane or in space.

        d = 2: ∂₀Φ₁ - ∂₁Φ₀        d = 3: (∇×Φ)ᵢ = ∂ⱼΦₖ - ∂ₖΦⱼ for (i, j, k) = (0, 1, 2) and its cyclic turns

    Args:
        jet: of order 1 or more, with two channels over two coordinates, or three over three.

    Returns:
        A scalar, shape (n, 1), in the plane; a vector, shape (n, 3), in space.

    Raises:
        InputError: a jet without gradient, or other dimensions.

    >>> curl(Jet(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])))
    tensor([[1.]])
    """
    first = _first(jet, "curl")
    match tuple(first.shape[1:]):
        case (2, 2):
            turns = [(0, 1)]
        case (3, 3):
            turns = [(1, 2), (2, 0), (0, 1)]
        case _:
            raise InputError(f"curl needs 2 channels over 2 coordinates or 3 over 3; there are {_sizes(first)}")
    return torch.stack([first[:, k, j] - first[:, j, k] for j, k in turns], dim=-1)


def laplacian(jet: Jet) -> Float[Tensor, "n c"]:
    """The Laplacian of each channel: ΔΦᵢ = Σⱼ ∂²Φᵢ/∂xⱼ².

    Args:
        jet: of order 2.

    Returns:
        Shape (n, c).

    Raises:
        InputError: a jet of a lower order.

    >>> laplacian(Jet(torch.zeros(5, 1), torch.zeros(5, 1, 2), torch.ones(5, 1))).shape
    torch.Size([5, 1])
    """
    if jet.laplacian is None:
        raise InputError("laplacian needs second derivatives, and the jet has none: propagate with order 2")
    return jet.laplacian


def hessian(jet: Jet) -> Float[Tensor, "n c d d"]:
    """The Hessian of each channel: Hᵢⱼₖ = ∂²Φᵢ/∂xⱼ∂xₖ.

    Args:
        jet: of order 2, with the Hessian.

    Returns:
        Shape (n, c, d, d).

    Raises:
        InputError: a jet without Hessian.

    >>> from sinefield.fields import Siren
    >>> from sinefield.jets import propagate
    >>> hessian(propagate(Siren(2, 1, width=16), torch.rand(5, 2), 2, hessian=True)).shape
    torch.Size([5, 1, 2, 2])
    """
    if jet.hessian is None:
        raise InputError("hessian needs the jet to carry it: propagate with order 2 and hessian=True")
    return jet.hessian


def normal(jet: Jet) -> Float[Tensor, "n d"]:
    """The unit normal of a scalar field's level: n = ∇Φ / ‖∇Φ‖, to larger values.

    Args:
        jet: of order 1 or more, of one channel.

    Returns:
        A vector, shape (n, d).

    Raises:
        InputError: as for `gradient`.

    >>> normal(Jet(torch.zeros(1, 1), torch.tensor([[[3.0, 4.0]]])))
    tensor([[0.6000, 0.8000]])
    """
    return torch.nn.functional.normalize(gradient(jet), dim=-1)


def mean_curvature(jet: Jet) -> Float[Tensor, "n 1"]:
    """The mean curvature of a scalar field's level: the mean over its d - 1 principal curvatures,

        H = ∇·n / (d - 1) = (ΔΦ - nᵀ ∇²Φ n) / ((d - 1) ‖∇Φ‖)

    so that it is 1/r on a sphere of radius r with larger values outside.

    Args:
        jet: of order 2, with the Hessian, of one channel over two coordinates or more.

    Returns:
        Shape (n, 1), per unit of coordinate.

    Raises:
        InputError: a jet without Hessian, or as for `gradient`; a single coordinate.

    Source: Goldman, "Curvature formulas for implicit curves and surfaces", 2005.

    >>> from sinefield.fields import Siren
    >>> from sinefield.jets import propagate
    >>> mean_curvature(propagate(Siren(3, 1, width=16), torch.rand(5, 3), 2, hessian=True)).shape
    torch.Size([5, 1])
    """
    slope, second = gradient(jet), hessian(jet)[:, 0]
    if slope.shape[-1] < 2:
        raise InputError("a level has a curvature over two coordinates or more; there is one")
    n, length = normal(jet), torch.linalg.vector_norm(slope, dim=-1, keepdim=True)
    along = torch.einsum("ni,nij,nj->n", n, second, n)[:, None]
    turned: Tensor = (laplacian(jet) - along) / ((slope.shape[-1] - 1) * length)
    return turned


def biharmonic(field: nn.Module, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    """The biharmonic operator, of plates and slow flow, on each channel of a field.

        Δ²u = Σᵢ ∂ᵢ⁴u + 2 Σ_{i<j} ∂ᵢ²∂ⱼ²u    with    12 ∂ᵢ²∂ⱼ²u = D⁴_{i+j} + D⁴_{i-j} - 2 D⁴ᵢ - 2 D⁴ⱼ

    where D⁴ is the fourth derivative along eᵢ, eⱼ, eᵢ + eⱼ or eᵢ - eⱼ. Collected, with d coordinates,

        Δ²u = (4 - d)/3 Σᵢ D⁴ᵢ + 1/6 Σ_{i<j} (D⁴_{i+j} + D⁴_{i-j}),

    so it costs d² directions of `taylor`.

    Args:
        field: a module from (n, d) to (n, c) that treats each point by itself.
        x: points, shape (n, d).

    Returns:
        Shape (n, c), per unit of coordinate to the fourth.

    Raises:
        InputError: points that are whole numbers.

    Source: Griewank, Utke and Walther, "Evaluating higher derivative tensors by forward propagation of univariate
    Taylor series", Mathematics of Computation 69 (2000).

    >>> from sinefield.fields import Siren
    >>> biharmonic(Siren(2, 1, width=16), torch.rand(5, 2)).shape
    torch.Size([5, 1])
    """
    d = x.shape[-1]
    e = torch.eye(d, dtype=x.dtype, device=x.device).unbind()
    weights = [(4 - d) / 3] * d + [1 / 6] * (d * (d - 1))
    directions = [*e, *(a + sign * b for a, b in combinations(e, 2) for sign in (1, -1))]
    fourth = (weight * taylor(field, x, v, 4)[4] for weight, v in zip(weights, directions, strict=True))
    return reduce(add, fourth)


def _first(jet: Jet, name: str) -> Tensor:
    if jet.gradient is None:
        raise InputError(f"{name} needs first derivatives, and the jet has none: propagate with order 1 or 2")
    return jet.gradient


def _sizes(first: Tensor) -> str:
    return f"{first.shape[1]} channels over {first.shape[2]} coordinates"
