"""‖∇Φ‖ = 1, and Φ = 0 on a surface: a signed distance function (Sitzmann et al. 2020, section 4.2, equation 6)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.jets import Jet
from sinefield.jets.operators import gradient
from sinefield.sampling.batch import Batch, Sampler

SHARPNESS = 100.0
"""α of exp(-α |Φ|), for Φ on [-1, 1]."""


def zero_on(sampler: Sampler, weight: float) -> Constraint:
    """The constraint Φ(x) = 0 on a surface."""
    return Constraint("surface", sampler, lambda jet, batch: jet.value, weight=weight, norm=torch.abs)


def normals_align(sampler: Sampler, weight: float) -> Constraint:
    """The constraint ∇Φ · n / ‖∇Φ‖ = 1 on a surface; where a normal is zero, none."""
    return Constraint("normals", sampler, _apart, order=1, weight=weight, norm=torch.abs)


def unit_slope(name: str, sampler: Sampler, scale: float, weight: float) -> Constraint:
    """The constraint ‖scale · ∇Φ‖ = 1."""
    return Constraint(name, sampler, _eikonal(scale), order=1, weight=weight, norm=torch.abs)


def away_from_zero(sampler: Sampler, weight: float) -> Constraint:
    """The constraint exp(-100 |Φ|) = 0: what is not on the surface is not on the zero level."""
    return Constraint("off surface", sampler, _near_zero, weight=weight, norm=torch.abs)


def distance_matches(sampler: Sampler, least: float, weight: float) -> Constraint:
    """The constraint |Φ(x)| = a(x), the distance to the nearest known point, where that is more than `least`.

    It says nothing of the sign, which a field has from its beginning.

    Source: Atzmon and Lipman, "SAL: Sign Agnostic Learning of Shapes from Raw Data", CVPR 2020.
    """

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        return (batch.target > least) * (jet.value.abs() - batch.target)

    return Constraint("distance", sampler, residual, weight=weight, norm=torch.abs)


def _apart(jet: Jet, batch: Batch) -> Tensor:
    slope = gradient(jet)
    assert batch.normal is not None
    normal = batch.normal.to(slope)
    length = torch.linalg.vector_norm(slope, dim=-1, keepdim=True).clamp_min(1e-12)
    return torch.sum(normal.square() - slope / length * normal, dim=-1, keepdim=True)


def _eikonal(scale: float) -> Callable[[Jet, Batch], Tensor]:
    def residual(jet: Jet, batch: Batch) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(scale * gradient(jet), dim=-1, keepdim=True)
        return length - 1

    return residual


def _near_zero(jet: Jet, batch: Batch) -> Tensor:
    return torch.exp(-SHARPNESS * jet.value.abs())
