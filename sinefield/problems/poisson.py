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
from sinefield.problems.problem import Problem, random_points
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import sobol


def poisson(waves: int = 1, *, size: int = 1024, seed: int = 0) -> Problem:
    """Δu = f on the unit square and u = 0 on its border, where u = sin(nπy) sin(nπx) is the solution.

    Args:
        waves: n, half waves along each side.
        size: points in a step.
        seed: of the points.

    Raises:
        InputError: no wave.

    >>> problem = square()
    >>> float(problem.truth(np.array([[0.5, 0.5]]))[0, 0])
    1.0
    """
    if waves < 1:
        raise InputError(f"there must be one half wave or more along a side; found {waves}")
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
