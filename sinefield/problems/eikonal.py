"""The eikonal equation of first arrivals: how long a wave takes from a point to everywhere."""

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
from sinefield.problems.problem import Problem, random_points
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import sobol

STEEPNESS = 0.75
"""Of the speed that grows downwards, in 1/s."""


def eikonal(
    velocity: str = "uniform", source: tuple[float, float] = (0.0, 0.0), *, size: int = 1024, seed: int = 0
) -> Problem:
    """c(y) ‖∇T‖ = 1 with T = 0 at a source, on [-1, 1]².

    T = ‖x - source‖ (1/c(source) + Φ(x)), so that the kink at the source is not left to the network (the factored
    eikonal equation). Where c = c₀ + g y the rays are circles, and cosh(g T) = 1 + g² ‖x - source‖² / (2 c(y) c(y₀)).

    Args:
        velocity: "uniform", c = 1 m/s, or "gradient", c = (1 + 0.75 y / m) m/s.
        source: its place (y, x).
        size: points in a step.
        seed: of the points.

    Raises:
        InputError: another velocity, or a source outside.

    Source: Fomel, Luo and Zhao, "Fast sweeping method for the factored eikonal equation", 2009; Slotnick, "Lessons in
    seismic computing", 1959, for the circles.

    >>> float(travel_time().truth(np.array([[0.3, 0.4]]))[0, 0])
    0.5
    """
    steepness = {"uniform": 0.0, "gradient": STEEPNESS}.get(velocity)
    if steepness is None:
        raise InputError(f"the velocity of travel times is uniform or gradient; found {velocity!r}")
    if not all(-1 < at < 1 for at in source):
        raise InputError(f"the source lies between -1 and 1 along each axis; found {source}")
    g = float(steepness)
    domain = box((-1.0, -1.0), (1.0, 1.0), ("y", "x"), ("m", "m"))

    def residual(jet: Jet, batch: Batch) -> Tensor:
        speed = (1 + g * batch.x[:, :1]).to(jet.value)
        return speed**2 * gradient(jet).square().sum(-1, keepdim=True) - 1

    def reference(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 1"]:
        apart = np.linalg.norm(x - np.asarray(source), axis=1, keepdims=True)
        if g == 0:
            return np.asarray(apart)
        speeds = (1 + g * x[:, :1]) * (1 + g * source[0])
        return np.asarray(np.arccosh(1 + (g * apart) ** 2 / (2 * speeds)) / g)

    return Problem(
        "eikonal",
        domain,
        [Constraint("equation", sobol(domain, size, seed=seed), residual, order=1)],
        hard_constraint=DistanceFactor(source, 1 / (1 + g * source[0])),
        omega=3.0,
        reference=reference,
        eval_points=random_points(domain),
    )
