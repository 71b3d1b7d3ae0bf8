"""A problem whose solution is a field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from sinefield.constraints.constraint import Constraint
from sinefield.domain import Domain
from sinefield.networks import HardConstraint

Reference = Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n c"]]


@dataclass(frozen=True)
class Problem:
    """What a field has to satisfy, and what is known of the solution.

    Attributes:
        name: of the equation, for files and figures.
        domain: where the field lives.
        constraints: the terms of the loss.
        channels: the names of the solution's components; none for a single one.
        condition: one that is satisfied exactly.
        omega: ω of a first layer that begins with the solution's frequencies.
        truth: the solution at points (n, d), where it is known by other means.
        eval_points: the points at which the solution is judged (n, d).
        seen: the part of the domain that is shown beside the truth; all of it unless given.
    """

    name: str
    domain: Domain
    constraints: Sequence[Constraint]
    channels: tuple[str, ...] = ()
    hard_constraint: HardConstraint | None = None
    omega: float = 10.0
    reference: Reference | None = None
    eval_points: Float64[np.ndarray, "n d"] | None = None
    seen: Domain | None = None


def random_points(domain: Domain, count: int = 10_000) -> Float64[np.ndarray, "n d"]:
    """Points all over a domain, always the same."""
    unit = np.random.default_rng(0).random((count, domain.dim))
    return np.asarray(domain.lower) + unit * np.subtract(domain.upper, domain.lower)
