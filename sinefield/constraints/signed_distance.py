"""Constraints of signed distance functions: Φ = 0 on a surface, ‖∇Φ‖ = 1 (Sitzmann et al. 2020, equation 6)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.jets import Jet
from sinefield.jets.operators import gradient
from sinefield.sampling.batch import Batch, Sampler

SHARPNESS = 100.0
"""Constant α of the penalty exp(-α |Φ|) away from the surface, for Φ in [-1, 1]."""


def zero_on(sampler: Sampler, weight: float) -> Constraint:
    """Return the constraint Φ(x) = 0 at points on the surface."""
    return Constraint("surface", sampler, lambda jet, batch: jet.value, weight=weight, norm=torch.abs)


def normals_align(sampler: Sampler, weight: float) -> Constraint:
    """Return the constraint ∇Φ · n / ‖∇Φ‖ = 1 at points on the surface; a point with n = 0 adds nothing to the loss."""
    return Constraint("normals", sampler, _normal_residual, order=1, weight=weight, norm=torch.abs)


def unit_slope(name: str, sampler: Sampler, scale: float, weight: float) -> Constraint:
    """Return the eikonal constraint ‖scale · ∇Φ‖ = 1."""
    return Constraint(name, sampler, _eikonal(scale), order=1, weight=weight, norm=torch.abs)


def away_from_zero(sampler: Sampler, weight: float) -> Constraint:
    """Return the constraint exp(-α |Φ(x)|) = 0 at points off the surface, which keeps the zero level set away."""
    return Constraint("off surface", sampler, _near_zero, weight=weight, norm=torch.abs)


def distance_matches(sampler: Sampler, least: float, weight: float) -> Constraint:
    """Return the constraint |Φ(x)| = a(x), where a is the distance to the nearest known point of the surface.

    The constraint leaves the sign of Φ open; it stays that of the initialization.

    Args:
        sampler: Sampler of points with the distance a as target.
        least: Distance at and below which the constraint is not applied.
        weight: Weight of the term.

    Source: Atzmon and Lipman, "SAL: Sign Agnostic Learning of Shapes from Raw Data", CVPR 2020.
    """

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        return (batch.target > least) * (jet.value.abs() - batch.target)

    return Constraint("distance", sampler, residual, weight=weight, norm=torch.abs)


def _normal_residual(jet: Jet, batch: Batch) -> Tensor:
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
