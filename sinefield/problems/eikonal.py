"""Eikonal equation of first-arrival travel times from a point source."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.domain import box
from sinefield.errors import InputError
from sinefield.jets import Jet
from sinefield.jets.operators import gradient
from sinefield.networks.hard_constraint import DistanceFactor
from sinefield.problems.problem import Problem, random_points, register_equation
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import sobol

VELOCITY_GRADIENT = 0.75
"""Increase g of the wave speed along y in the "gradient" medium, in 1/s."""


@register_equation("eikonal")
def eikonal(
    velocity: str = "uniform", source: tuple[float, float] = (0.0, 0.0), *, size: int = 1024, seed: int = 0
) -> Problem:
    """Eikonal equation c(y) ‖∇T‖ = 1 for the travel time T from a source, on [-1, 1]².

    The field is factored as T = ‖x - source‖ (1/c(source) + Φ(x)), so that the network Φ does not have to represent
    the kink at the source. Where c = c₀ + g y the rays are circular arcs and
    cosh(g T) = 1 + g² ‖x - source‖² / (2 c(y) c(y_source)).

    Args:
        velocity: Wave speed c: uniform (1 m/s) or gradient (1 m/s + 0.75 y/s, with y in m).
        source: Source position (y, x), in m (between -1 and 1).
        size: Number of collocation points per step.
        seed: Seed of the collocation points.

    Raises:
        InputError: `velocity` is unknown or `source` is outside the domain.

    Source: Fomel, Luo and Zhao, "Fast sweeping method for the factored eikonal equation", 2009; Slotnick, "Lessons in
    seismic computing", 1959, for the circular rays.

    >>> float(eikonal().reference(np.array([[0.3, 0.4]]))[0, 0])
    0.5
    """
    velocity_gradient = {"uniform": 0.0, "gradient": VELOCITY_GRADIENT}.get(velocity)
    if velocity_gradient is None:
        raise InputError(f"velocity must be uniform or gradient; found {velocity!r}")
    if not all(-1 < at < 1 for at in source):
        raise InputError(f"source must lie between -1 and 1 m along each axis; found {source}")
    g = float(velocity_gradient)
    domain = box((-1.0, -1.0), (1.0, 1.0), ("y", "x"), ("m", "m"))

    def residual(jet: Jet, batch: Batch) -> Tensor:
        speed = (1 + g * batch.x[:, :1]).to(jet.value)
        return speed**2 * gradient(jet).square().sum(-1, keepdim=True) - 1

    def reference(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 1"]:
        distance = np.linalg.norm(x - np.asarray(source), axis=1, keepdims=True)
        if g == 0:
            return np.asarray(distance)
        speeds = (1 + g * x[:, :1]) * (1 + g * source[0])
        return np.asarray(np.arccosh(1 + (g * distance) ** 2 / (2 * speeds)) / g)

    return Problem(
        "eikonal",
        domain,
        [Constraint("equation", sobol(domain, size, seed=seed), residual, order=1)],
        hard_constraint=DistanceFactor(source, 1 / (1 + g * source[0])),
        omega=3.0,
        reference=reference,
        eval_points=random_points(domain),
    )
