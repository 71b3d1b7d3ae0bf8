"""Poisson's equation on the unit square, with a manufactured solution."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.domain import box
from sinefield.errors import InputError
from sinefield.jets import Jet
from sinefield.jets.operators import laplacian
from sinefield.networks.hard_constraint import ZeroOnBox
from sinefield.problems.problem import Problem, random_points, register_equation
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import sobol


@register_equation("poisson")
def poisson(waves: int = 1, *, size: int = 1024, seed: int = 0) -> Problem:
    """Poisson's equation Δu = f on the unit square, with u = 0 on the boundary.

    The solution is u = sin(nπy) sin(nπx), and f is its Laplacian.

    Args:
        waves: Number n of half waves of the solution along each side of the square.
        size: Number of collocation points per step.
        seed: Seed of the collocation points.

    Raises:
        InputError: `waves` is less than 1.

    >>> problem = poisson()
    >>> float(problem.reference(np.array([[0.5, 0.5]]))[0, 0])
    1.0
    """
    if waves < 1:
        raise InputError(f"waves, the number of half waves along a side, must be at least 1; found {waves}")
    domain, k = box((0.0, 0.0), (1.0, 1.0), ("y", "x"), ("m", "m")), waves * np.pi

    def residual(jet: Jet, batch: Batch) -> Tensor:
        f = -2 * k**2 * torch.sin(k * batch.x).prod(-1, keepdim=True)
        return (laplacian(jet) - f.to(jet.value)) / (2 * k**2)

    def reference(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 1"]:
        return np.asarray(np.sin(k * x).prod(axis=1, keepdims=True))

    return Problem(
        "poisson",
        domain,
        [Constraint("equation", sobol(domain, size, seed=seed), residual, order=2)],
        hard_constraint=ZeroOnBox(domain.lower, domain.upper),
        omega=5.0 * waves,
        reference=reference,
        eval_points=random_points(domain),
    )
