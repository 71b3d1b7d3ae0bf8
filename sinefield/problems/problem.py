"""Problems whose solution is a field, and the registry of the functions that build them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from sinefield.constraints.constraint import Constraint
from sinefield.domain import Domain
from sinefield.networks import HardConstraint
from sinefield.registry import Registry

Reference = Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n c"]]
"""Reference solution at points (n, d)."""


@dataclass(frozen=True)
class Problem:
    """Constraints that define a field, with a reference solution where one is known.

    Attributes:
        name: Name of the equation, used in file names and figures.
        domain: Domain of the field.
        constraints: Terms of the loss.
        channels: Names of the components of the solution; empty for a scalar.
        hard_constraint: Constraint that the field satisfies exactly, whatever the weights of its network.
        omega: Frequency factor ω of the first layer, suited to the frequencies of the solution.
        reference: Reference solution as a function of points (n, d).
        eval_points: Points (n, d) at which the error against the reference is evaluated.
        display_domain: Part of the domain shown in figures (default: the whole domain).
    """

    name: str
    domain: Domain
    constraints: Sequence[Constraint]
    channels: tuple[str, ...] = ()
    hard_constraint: HardConstraint | None = None
    omega: float = 10.0
    reference: Reference | None = None
    eval_points: Float64[np.ndarray, "n d"] | None = None
    display_domain: Domain | None = None


EQUATIONS: Registry[Callable[..., Problem]] = Registry("equation", "sinefield.problems")
"""Functions that build a problem, by the name of the equation."""

Equation = TypeVar("Equation", bound=Callable[..., Problem])


def register_equation(name: str) -> Callable[[Equation], Equation]:
    """Register a function that builds a problem, as `@register_equation("heat")`.

    The parameters of the function become the options of `sinefield solve NAME`. Each of them has a default, one of
    the annotations str, int, float, bool, tuple[float, float] or `X | None`, and one line in the Args section of the
    docstring, which is the help text of the option.

    Args:
        name: Name of the equation on the command line.

    Raises:
        ValueError: The name is registered by another module.
    """

    def register(function: Equation) -> Equation:
        EQUATIONS.add(name, function)
        return function

    return register


def random_points(domain: Domain, count: int = 10_000) -> Float64[np.ndarray, "n d"]:
    """Uniformly distributed points of a domain (n, d), from a fixed seed."""
    unit = np.random.default_rng(0).random((count, domain.dim))
    return np.asarray(domain.lower) + unit * np.subtract(domain.upper, domain.lower)
