"""Hard constraints: conditions that a field satisfies exactly, for any weights of its network."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sinefield.domain import Domain
from sinefield.errors import InputError, one_line


class HardConstraint(ABC):
    """Base class of hard constraints u(x) = g(x) + φ(x) Φ(x), so that u equals the lift g where the factor φ vanishes.

    A subclass implements g and φ with PyTorch operations, from which their derivatives follow.

    Source: Lagaris, Likas and Fotiadis, "Artificial neural networks for solving ordinary and partial differential
    equations", 1998; for other shapes Sukumar and Srivastava, "Exact imposition of boundary conditions with distance
    functions in physics-informed deep neural networks", 2022.
    """

    def lift(self, x: Tensor) -> Tensor:
        """Return g at points x (n, d) in the user's units: (n, c), or (n, 1) for all channels (default: zero)."""
        return torch.zeros_like(x[:, :1])

    @abstractmethod
    def factor(self, x: Tensor) -> Tensor:
        """Return φ at points x (n, d) in the user's units: (n, c), or (n, 1) for all channels."""

    @property
    def dim(self) -> int | None:
        """Number of coordinates that the constraint requires; None if it supports any number."""
        return None

    def __call__(self, x: Tensor, value: Tensor) -> Tensor:
        """Return u (…, c) at points x (…, d), given the values Φ(x) (…, c)."""
        flat = x.reshape(-1, x.shape[-1])
        u = self.lift(flat).to(value) + self.factor(flat).to(value) * value.reshape(-1, value.shape[-1])
        return u.reshape(value.shape)


@dataclass(frozen=True)
class ZeroOnBox(HardConstraint):
    """u = 0 on the faces of a box: φ(x) = Πₖ (xₖ - lowerₖ)(upperₖ - xₖ), scaled to 1 at the center.

    Attributes:
        lower: Lower corner of the box.
        upper: Upper corner of the box.

    Raises:
        InputError: If a lower bound is not smaller than the upper bound.

    >>> ZeroOnBox((0.0,), (2.0,)).factor(torch.tensor([[0.0], [1.0], [2.0]])).flatten().tolist()
    [0.0, 1.0, 0.0]
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.lower) != len(self.upper) or not all(map(operator.lt, self.lower, self.upper)):
            raise InputError(
                "ZeroOnBox needs a lower and an upper corner of the same dimension, in ascending order; "
                f"they are {self.lower} and {self.upper}"
            )

    @property
    def dim(self) -> int:
        return len(self.lower)

    def factor(self, x: Tensor) -> Tensor:
        low, high = x.new_tensor(self.lower), x.new_tensor(self.upper)
        factor: Tensor = ((x - low) * (high - x) * (2 / (high - low)) ** 2).prod(-1, keepdim=True)
        return factor


@dataclass(frozen=True)
class DistanceFactor(HardConstraint):
    """u = 0 at a point a, and u grows like a distance from it: φ(x) = ‖x - a‖ and g(x) = slope · φ(x).

    Attributes:
        point: Coordinates of a.
        slope: Slope of the lift (default: 1).

    >>> DistanceFactor((1.0, 1.0), 2.0).lift(torch.tensor([[1.0, 1.0], [4.0, 5.0]])).flatten().tolist()
    [0.0, 10.0]
    """

    point: tuple[float, ...]
    slope: float = 1.0

    @property
    def dim(self) -> int:
        return len(self.point)

    def lift(self, x: Tensor) -> Tensor:
        return self.slope * self.factor(x)

    def factor(self, x: Tensor) -> Tensor:
        # a distance is not differentiable at a; the tiny offset makes its derivatives there large but finite
        return ((x - x.new_tensor(self.point)).square().sum(-1, keepdim=True) + 1e-30).sqrt() - 1e-15


@dataclass(frozen=True)
class CompactSupport(HardConstraint):
    """u is constant outside a cube around the origin: φ(x) = height · Πₖ (1 - xₖ²/half_width²)² inside, 0 outside.

    Attributes:
        half_width: Half the side of the cube.
        outside: Value of u outside the cube.
        height: Value of φ at the origin (default: 1).

    >>> CompactSupport(0.5, 1.0).factor(torch.tensor([[0.0, 0.0], [0.25, 0.0], [0.5, 0.1]])).flatten().tolist()
    [1.0, 0.5625, 0.0]
    """

    half_width: float
    outside: float
    height: float = 1.0

    def lift(self, x: Tensor) -> Tensor:
        return torch.full_like(x[:, :1], self.outside)

    def factor(self, x: Tensor) -> Tensor:
        return self.height * (1 - (x / self.half_width).square()).clamp(min=0).square().prod(-1, keepdim=True)


@dataclass(frozen=True)
class GaussianSources(HardConstraint):
    """u = g + Φ, where Δg contains the narrow Gaussian sources in the plane, so that Φ is smooth.

        g(x) = strength · (ln r² + E₁(r² / 2σ²)) / 4π · (1 - r²/R²)⁴ for r < R, 0 beyond, summed over the sources

    Without the last factor, which cuts off g at the distance R, Δg is strength · N(0, σ²) around each source.

    Source: The free-space potential of a Gaussian; subtracting a singularity in this way is common in finite elements.

    Attributes:
        points: Position of each source.
        variance: Variance σ² of the Gaussians.
        reach: Distance R from a source beyond which its part of g is zero.
        strength: Strength of a source in each of its channels, such as the real and the imaginary part. The channels of
            all sources are concatenated in the order of the sources.
    """

    points: tuple[tuple[float, float], ...]
    variance: float
    reach: float
    strength: tuple[float, ...]

    @property
    def dim(self) -> int:
        return 2

    def lift(self, x: Tensor) -> Tensor:
        r2 = (x[:, None] - x.new_tensor(self.points)).square().sum(-1) + 1e-12
        potential = (r2.log() + _Exp1.apply(r2 / (2 * self.variance))) / (4 * math.pi)
        potential = potential * (1 - (r2 / self.reach**2).clamp(max=1)) ** 4
        lift: Tensor = potential[..., None] * x.new_tensor(self.strength)
        return lift.flatten(1)

    def factor(self, x: Tensor) -> Tensor:
        return torch.ones_like(x[:, :1])


HARD_CONSTRAINTS: dict[str, type[HardConstraint]] = {
    "zero_on_box": ZeroOnBox,
    "distance_factor": DistanceFactor,
    "compact_support": CompactSupport,
    "gaussian_sources": GaussianSources,
}
"""Hard constraints by their name in field files, which store the attributes of each."""


def check(hard_constraint: HardConstraint, domain: Domain, channels: int) -> None:
    """Raise an InputError unless a hard constraint matches a domain and a number of channels."""
    name = type(hard_constraint).__name__
    x = torch.tensor([domain.center, domain.lower], dtype=torch.float64)
    try:
        shapes = {tuple(part.shape) for part in (hard_constraint.lift(x), hard_constraint.factor(x))}
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{name} does not support {domain.dim} coordinates ({one_line(error)})") from error
    if hard_constraint.dim not in (None, domain.dim):
        raise InputError(f"{name} is for {hard_constraint.dim} coordinates; the domain has {domain.dim}")
    if not shapes <= {(2, 1), (2, channels)}:
        raise InputError(
            f"lift and factor of {name} must have the shape (n, 1) or (n, {channels}); for n = 2 points they have "
            f"{' and '.join(map(str, sorted(shapes)))}"
        )


def describe(hard_constraint: HardConstraint) -> dict[str, Any]:
    """Return the description of a hard constraint in the header of a field file: its name and its attributes.

    Raises:
        InputError: If the type of the constraint is not in `HARD_CONSTRAINTS`.
    """
    for name, kind in HARD_CONSTRAINTS.items():
        if type(hard_constraint) is kind:
            return {"name": name, **vars(hard_constraint)}
    raise InputError(
        f"a field with a custom hard constraint ({type(hard_constraint).__name__}) cannot be saved; "
        f"field files support {', '.join(kind.__name__ for kind in HARD_CONSTRAINTS.values())}"
    )


def from_description(header: dict[str, Any]) -> HardConstraint:
    """Return the hard constraint with a description that `describe` returned."""
    arguments = {name: _to_tuples(value) for name, value in header.items() if name != "name"}
    return HARD_CONSTRAINTS[header["name"]](**arguments)


def _to_tuples(value: Any) -> Any:
    """Convert nested lists, as read from JSON, to nested tuples."""
    return tuple(_to_tuples(each) for each in value) if isinstance(value, list) else value


class _Exp1(torch.autograd.Function):
    """Exponential integral E₁(z) = ∫ exp(-t) / t dt from z to infinity, with the derivative -exp(-z) / z."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        from scipy.special import exp1

        ctx.save_for_backward(z)
        return torch.as_tensor(exp1(z.detach().cpu().numpy()), dtype=z.dtype, device=z.device)

    @staticmethod
    def backward(ctx: Any, bar: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        gradient: Tensor = -bar * torch.exp(-z) / z
        return gradient
