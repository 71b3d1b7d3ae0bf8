"""Conditions that a field satisfies exactly, whatever its network says."""

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
    """u(x) = g(x) + φ(x) Φ(x): where the factor φ vanishes, the field is the lift g.

    Whoever adds one writes g and φ with PyTorch's functions; their derivatives follow.

    Source: Lagaris, Likas and Fotiadis, "Artificial neural networks for solving ordinary and partial differential
    equations", 1998; for other shapes Sukumar and Srivastava, "Exact imposition of boundary conditions with distance
    functions in physics-informed deep neural networks", 2022.
    """

    def lift(self, x: Tensor) -> Tensor:
        """g at coordinates (n, d) in the user's units: (n, c), or (n, 1) for all channels."""
        return torch.zeros_like(x[:, :1])

    @abstractmethod
    def factor(self, x: Tensor) -> Tensor:
        """φ there, (n, c) or (n, 1)."""

    @property
    def dim(self) -> int | None:
        """How many coordinates it is for; None for any number."""
        return None

    def __call__(self, x: Tensor, value: Tensor) -> Tensor:
        """u at x (…, d), from Φ there (…, c)."""
        flat = x.reshape(-1, x.shape[-1])
        u = self.lift(flat).to(value) + self.factor(flat).to(value) * value.reshape(-1, value.shape[-1])
        return u.reshape(value.shape)


@dataclass(frozen=True)
class ZeroOnBox(HardConstraint):
    """u = 0 on the faces of a box: φ = Πₖ (xₖ - lowerₖ)(upperₖ - xₖ), with 1 in the middle.

    >>> Walls((0.0,), (2.0,)).factor(torch.tensor([[0.0], [1.0], [2.0]])).flatten().tolist()
    [0.0, 1.0, 0.0]
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.lower) != len(self.upper) or not all(map(operator.lt, self.lower, self.upper)):
            raise InputError(f"walls are at two corners in order; found {self.lower} and {self.upper}")

    @property
    def dim(self) -> int:
        return len(self.lower)

    def factor(self, x: Tensor) -> Tensor:
        low, high = x.new_tensor(self.lower), x.new_tensor(self.upper)
        factor: Tensor = ((x - low) * (high - x) * (2 / (high - low)) ** 2).prod(-1, keepdim=True)
        return factor


@dataclass(frozen=True)
class DistanceFactor(HardConstraint):
    """u = 0 at a point, growing from there as a distance does: φ = ‖x - a‖ and g = slope φ.

    >>> Apart((1.0, 1.0), 2.0).lift(torch.tensor([[1.0, 1.0], [4.0, 5.0]])).flatten().tolist()
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
        # the distance has no derivative at the point itself; a rounding away from it, it is large but finite
        return ((x - x.new_tensor(self.point)).square().sum(-1, keepdim=True) + 1e-30).sqrt() - 1e-15


@dataclass(frozen=True)
class CompactSupport(HardConstraint):
    """u is a constant outside of a box around the origin: φ = height Πₖ (1 - xₖ²/half²)², zero beyond it.

    >>> Window(0.5, 1.0).factor(torch.tensor([[0.0, 0.0], [0.25, 0.0], [0.5, 0.1]])).flatten().tolist()
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
    """u = g + Φ, where Δg has the sharp Gaussian sources in the plane, so that what is left for Φ is smooth.

        g(x) = strength (ln r² + E₁(r² / 2σ²)) / 4π · (1 - r²/R²)⁴,   Δ of what is before the dot: strength N(0, σ²)

    Source: the free-space potential of a Gaussian; to take a singularity away so is common with finite elements.

    Attributes:
        points: of each source.
        variance: σ².
        reach: R, beyond which g is zero.
        strength: of each of a source's channels, such as its real and its imaginary part; the channels of the first
            source come first.
    """

    points: tuple[tuple[float, float], ...]
    variance: float
    reach: float
    strength: tuple[float, ...]

    @property
    def dim(self) -> int:
        return 2

    def lift(self, x: Tensor) -> Tensor:
        apart = (x[:, None] - x.new_tensor(self.points)).square().sum(-1) + 1e-12
        potential = (apart.log() + _Exp1.apply(apart / (2 * self.variance))) / (4 * math.pi)
        near = potential * (1 - (apart / self.reach**2).clamp(max=1)) ** 4
        potentials: Tensor = near[..., None] * x.new_tensor(self.strength)
        return potentials.flatten(1)

    def factor(self, x: Tensor) -> Tensor:
        return torch.ones_like(x[:, :1])


HARD_CONSTRAINTS: dict[str, type[HardConstraint]] = {
    "walls": ZeroOnBox,
    "apart": DistanceFactor,
    "window": CompactSupport,
    "sources": GaussianSources,
}
"""Conditions by the name that they have in field files, where their attributes are their description."""


def check(hard_constraint: HardConstraint, domain: Domain, channels: int) -> None:
    """Raise InputError unless a condition goes with coordinates and channels."""
    x = torch.tensor([domain.center, domain.lower], dtype=torch.float64)
    try:
        shapes = {tuple(part.shape) for part in (hard_constraint.lift(x), hard_constraint.factor(x))}
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{type(hard_constraint).__name__} is not for {domain.dim} coordinates ({one_line(error)})"
        ) from error
    if not shapes <= {(2, 1), (2, channels)} or hard_constraint.dim not in (None, domain.dim):
        raise InputError(
            f"{type(hard_constraint).__name__} does not go with {domain.dim} coordinates and {channels} channels: "
            f"lift and factor have the shapes {sorted(shapes)} at two points"
        )


def described(hard_constraint: HardConstraint) -> dict[str, Any]:
    """A condition for a file's header.

    Raises:
        InputError: one that has no name.
    """
    for name, kind in HARD_CONSTRAINTS.items():
        if type(hard_constraint) is kind:
            return {"name": name, **vars(hard_constraint)}
    raise InputError(
        f"a field with a condition of one's own ({type(hard_constraint).__name__}) cannot be saved; "
        f"a file describes {', '.join(HARD_CONSTRAINTS)}"
    )


def from_description(header: dict[str, Any]) -> HardConstraint:
    """The condition that `described` describes."""
    arguments = {name: _tupled(value) for name, value in header.items() if name != "name"}
    return HARD_CONSTRAINTS[header["name"]](**arguments)


def _tupled(value: Any) -> Any:
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value


class _Exp1(torch.autograd.Function):
    """E₁(z) = ∫ exp(-t) / t dt from z to infinity, whose derivative is -exp(-z) / z."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        from scipy.special import exp1

        ctx.save_for_backward(z)
        return torch.as_tensor(exp1(z.detach().cpu().numpy()), dtype=z.dtype, device=z.device)

    @staticmethod
    def backward(ctx: Any, bar: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        slope: Tensor = -bar * torch.exp(-z) / z
        return slope
