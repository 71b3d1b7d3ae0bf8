"""Operators of vector calculus on jets, so that the code of an equation reads like the equation.

Scalars have the shape (n, 1) and vectors (n, d), so that sums never broadcast by accident. Component j of a vector
belongs to coordinate j, in the order of the coordinates: (y, x) for a picture.

>>> import torch
>>> from sinefield.networks import Siren
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
    """Gradient of a scalar field, (∇Φ)ⱼ = ∂Φ/∂xⱼ.

    Args:
        jet: Jet of order 1 or 2 with one channel.

    Returns:
        Vector, shape (n, d).

    Raises:
        InputError: If the jet has no gradient, or more than one channel.

    >>> gradient(Jet(torch.zeros(5, 1), torch.zeros(5, 1, 2))).shape
    torch.Size([5, 2])
    """
    first = _first(jet, "gradient")
    if first.shape[1] != 1:
        raise InputError(f"gradient needs a field with one channel; this one has {first.shape[1]}, use jacobian")
    return first[:, 0]


def jacobian(jet: Jet) -> Float[Tensor, "n c d"]:
    """Jacobian of a field, Jᵢⱼ = ∂Φᵢ/∂xⱼ.

    Args:
        jet: Jet of order 1 or 2.

    Returns:
        Tensor of shape (n, c, d).

    Raises:
        InputError: If the jet has no gradient.

    >>> jacobian(Jet(torch.zeros(5, 3), torch.zeros(5, 3, 2))).shape
    torch.Size([5, 3, 2])
    """
    return _first(jet, "jacobian")


def divergence(jet: Jet) -> Float[Tensor, "n 1"]:
    """Divergence of a vector field, ∇·Φ = Σⱼ ∂Φⱼ/∂xⱼ.

    Args:
        jet: Jet of order 1 or 2 with as many channels as coordinates.

    Returns:
        Scalar, shape (n, 1).

    Raises:
        InputError: If the jet has no gradient, or the numbers of channels and coordinates differ.

    >>> divergence(Jet(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])))
    tensor([[5.]])
    """
    first = _first(jet, "divergence")
    if first.shape[1] != first.shape[2]:
        raise InputError(f"divergence needs as many channels as coordinates; it has {_describe_shape(first)}")
    return first.diagonal(dim1=1, dim2=2).sum(-1, keepdim=True)


def curl(jet: Jet) -> Float[Tensor, "n k"]:
    """Curl of a vector field in two or three dimensions.

        d = 2: ∂₀Φ₁ - ∂₁Φ₀        d = 3: (∇×Φ)ᵢ = ∂ⱼΦₖ - ∂ₖΦⱼ for (i, j, k) = (0, 1, 2), (1, 2, 0), (2, 0, 1)

    Args:
        jet: Jet of order 1 or 2 with two channels over two coordinates, or three over three.

    Returns:
        Scalar, shape (n, 1), in two dimensions; vector, shape (n, 3), in three.

    Raises:
        InputError: If the jet has no gradient, or other numbers of channels and coordinates.

    >>> curl(Jet(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])))
    tensor([[1.]])
    """
    first = _first(jet, "curl")
    match tuple(first.shape[1:]):
        case (2, 2):
            pairs = [(0, 1)]
        case (3, 3):
            pairs = [(1, 2), (2, 0), (0, 1)]
        case _:
            raise InputError(f"curl needs 2 channels over 2 coordinates or 3 over 3; it has {_describe_shape(first)}")
    return torch.stack([first[:, k, j] - first[:, j, k] for j, k in pairs], dim=-1)


def laplacian(jet: Jet) -> Float[Tensor, "n c"]:
    """Laplacian of each channel, ΔΦᵢ = Σⱼ ∂²Φᵢ/∂xⱼ².

    Args:
        jet: Jet of order 2.

    Returns:
        Tensor of shape (n, c).

    Raises:
        InputError: If the jet has no Laplacian.

    >>> laplacian(Jet(torch.zeros(5, 1), torch.zeros(5, 1, 2), torch.ones(5, 1))).shape
    torch.Size([5, 1])
    """
    if jet.laplacian is None:
        raise InputError("laplacian needs second derivatives, which this jet lacks: call propagate with order=2")
    return jet.laplacian


def hessian(jet: Jet) -> Float[Tensor, "n c d d"]:
    """Hessian of each channel, Hᵢⱼₖ = ∂²Φᵢ/∂xⱼ∂xₖ.

    Args:
        jet: Jet of order 2 with the Hessian.

    Returns:
        Tensor of shape (n, c, d, d).

    Raises:
        InputError: If the jet has no Hessian.

    >>> from sinefield.networks import Siren
    >>> from sinefield.jets import propagate
    >>> hessian(propagate(Siren(2, 1, width=16), torch.rand(5, 2), 2, hessian=True)).shape
    torch.Size([5, 1, 2, 2])
    """
    if jet.hessian is None:
        raise InputError(
            "hessian needs the Hessian, which this jet lacks: call propagate with order=2 and hessian=True"
        )
    return jet.hessian


def normal(jet: Jet) -> Float[Tensor, "n d"]:
    """Unit normal of the level sets of a scalar field, n = ∇Φ / ‖∇Φ‖, which points towards larger values.

    Args:
        jet: Jet of order 1 or 2 with one channel.

    Returns:
        Vector, shape (n, d).

    Raises:
        InputError: If the jet has no gradient, or more than one channel.

    >>> normal(Jet(torch.zeros(1, 1), torch.tensor([[[3.0, 4.0]]])))
    tensor([[0.6000, 0.8000]])
    """
    return torch.nn.functional.normalize(gradient(jet), dim=-1)


def mean_curvature(jet: Jet) -> Float[Tensor, "n 1"]:
    """Mean curvature of the level sets of a scalar field: the mean of their d - 1 principal curvatures.

        H = ∇·n / (d - 1) = (ΔΦ - nᵀ ∇²Φ n) / ((d - 1) ‖∇Φ‖)

    It is 1/r on a sphere of radius r if the values are larger outside.

    Args:
        jet: Jet of order 2 with the Hessian, with one channel over at least two coordinates.

    Returns:
        Scalar, shape (n, 1), in the inverse unit of the coordinates.

    Raises:
        InputError: If the jet has no Hessian, more than one channel, or a single coordinate.

    Source: Goldman, "Curvature formulas for implicit curves and surfaces", 2005.

    >>> from sinefield.networks import Siren
    >>> from sinefield.jets import propagate
    >>> mean_curvature(propagate(Siren(3, 1, width=16), torch.rand(5, 3), 2, hessian=True)).shape
    torch.Size([5, 1])
    """
    first, second = gradient(jet), hessian(jet)[:, 0]
    if first.shape[-1] < 2:
        raise InputError("mean_curvature needs a field over two coordinates or more; this one has one coordinate")
    n, length = normal(jet), torch.linalg.vector_norm(first, dim=-1, keepdim=True)
    along_normal = torch.einsum("ni,nij,nj->n", n, second, n)[:, None]
    curvature: Tensor = (laplacian(jet) - along_normal) / ((first.shape[-1] - 1) * length)
    return curvature


def biharmonic(field: nn.Module, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    """Biharmonic operator Δ² applied to each channel of a field, as in the equations of plates and of creeping flow.

        Δ²u = Σᵢ ∂ᵢ⁴u + 2 Σ_{i<j} ∂ᵢ²∂ⱼ²u    with    12 ∂ᵢ²∂ⱼ²u = D⁴_{i+j} + D⁴_{i-j} - 2 D⁴ᵢ - 2 D⁴ⱼ

    where D⁴ is the fourth derivative along eᵢ, eⱼ, eᵢ + eⱼ or eᵢ - eⱼ. For d coordinates this gives

        Δ²u = (4 - d)/3 Σᵢ D⁴ᵢ + 1/6 Σ_{i<j} (D⁴_{i+j} + D⁴_{i-j}),

    which `taylor` evaluates along d² directions.

    Args:
        field: Module from (n, d) to (n, c) that treats each point independently.
        x: Points, shape (n, d).

    Returns:
        Tensor of shape (n, c), in the unit of the values per unit of the coordinates to the fourth power.

    Raises:
        InputError: If x is not floating-point.

    Source: Griewank, Utke and Walther, "Evaluating higher derivative tensors by forward propagation of univariate
    Taylor series", Mathematics of Computation 69 (2000).

    >>> from sinefield.networks import Siren
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
        raise InputError(f"{name} needs first derivatives, which this jet lacks: call propagate with order=1 or 2")
    return jet.gradient


def _describe_shape(first: Tensor) -> str:
    return f"{first.shape[1]} channels over {first.shape[2]} coordinates"
