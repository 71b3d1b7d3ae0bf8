"""Wave equation in the plane, from a Gaussian pulse at rest (Sitzmann et al. 2020, section 4.3).

    ∂²u/∂t² = c² Δu,   u(0, x) = exp(-‖x - source‖² / 2σ²),   ∂u/∂t(0, x) = 0,   x ∈ [-1, 1]²

The variance σ² = 5e-4 is that of the official code. Its pulse has a height of 0.02 instead of 1, which only scales the
solution, since the equation is linear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sinefield.constraints.constraint import Constraint, Residual
from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.jets import Jet
from sinefield.jets.operators import gradient, hessian
from sinefield.problems.helmholtz import Slowness, default_source, slowness
from sinefield.problems.problem import Problem, Reference, register_equation
from sinefield.sampling.batch import Batch, Sampler
from sinefield.sampling.collocation import boundary as boundary_points
from sinefield.sampling.collocation import sobol

VARIANCE = 5e-4
"""Variance σ² of the initial pulse, in m²."""

DURATION = 0.4
"""Default duration, that of the paper's experiment, in s."""

TIME_SCALE = 0.4
"""Time that the network's coordinates map to a length of 1, in s."""

RESIDUAL_SCALE = 300.0
"""Divisor of the residual of the wave equation. It balances the equation against the initial value: the curvature of
the pulse is 1/σ² = 2,000, and errors of the residual accumulate over time."""

SMOOTHING_WIDTH = 0.03
"""Length scale over which the wave speed changes, in m. A discontinuity would reflect a non-smooth wave, and the
finite-difference reference would be accurate to one cell only."""

PULSE_RADIUS = 0.1
"""Distance from a wavefront within which the wave is not negligible, about 4σ, in m."""

ARRIVAL_CELL = 0.01
"""Cell size of the grid on which first-arrival times are computed, in m."""

EVALUATION_TIMES = 9
"""Number of times at which the error is evaluated."""

EVALUATION_POINTS = 96
"""Number of evaluation points along each side of the square at each of these times."""

FINITE_DIFFERENCE_POINTS = 501
"""Number of points of the finite-difference grid along each axis."""

BOUNDARIES = ("dirichlet", "neumann")
"""Boundary conditions: u = 0, or ∂u/∂n = 0."""


@register_equation("wave")
def wave(
    velocity: str = "uniform",
    boundary: str = "dirichlet",
    duration: float = DURATION,
    source: tuple[float, float] | None = None,
    *,
    size: int = 1024,
    seed: int = 0,
) -> Problem:
    """Wave equation from a Gaussian pulse at rest, with reflection at the boundary of the square.

    The reference is a Fourier series in a uniform medium and a finite-difference solution in the others. The error is
    evaluated at nine times on a grid over the whole square.

    Args:
        velocity: Wave speed: uniform (1 m/s), square or circle (2 m/s inside a square or a circle, 1 m/s outside).
        boundary: Boundary condition: dirichlet (u = 0) or neumann (zero normal derivative).
        duration: Duration, in s (at most 10).
        source: Center of the pulse (y, x), in m (between -0.9 and 0.9; default: 0,0 if uniform, else 0,-0.35).
        size: Number of collocation points per step: 5/8 for the equation, 2/8 initial points, 1/8 on the boundary.
        seed: Seed of the collocation points.

    Raises:
        InputError: `velocity` or `boundary` is unknown, or `duration` or `source` is out of range.
    """
    m = slowness(velocity, SMOOTHING_WIDTH)
    if boundary not in BOUNDARIES:
        raise InputError(f"boundary must be dirichlet or neumann; found {boundary!r}")
    if not 0 < duration <= 10:
        raise InputError(f"duration must be positive and at most 10 s; found {duration}")
    position = default_source(velocity) if source is None else source
    if not all(abs(at) < 0.9 for at in position):
        raise InputError(f"source must lie between -0.9 and 0.9 m along each axis; found {position}")
    domain = Domain((0.0, -1.0, -1.0), (duration, 1.0, 1.0), ("t", "y", "x"), ("s", "m", "m"), (TIME_SCALE, 1.0, 1.0))
    collocation = _around_wavefront(domain, m, position, size * 5 // 8, seed=seed)
    initial = _initial_points(position, size // 4, seed=seed)
    return Problem(
        "wave",
        domain,
        [
            Constraint("equation", collocation, _equation(m), order=2, hessian=True),
            Constraint("initial value", initial, _initial_value(position), weight=10),
            Constraint("initial velocity", initial, _initial_velocity, order=1, weight=1e-2),
            _boundary_condition(domain, boundary, size // 8, seed=seed),
        ],
        omega=30.0,
        reference=(
            _fourier_series(position, boundary) if velocity == "uniform" else _finite_differences(m, position, boundary)
        ),
        eval_points=_evaluation_points(duration),
    )


def _equation(m: Slowness) -> Residual:
    """Residual of the wave equation with c² = 1/m."""

    def residual(jet: Jet, batch: Batch) -> Tensor:
        u_tt, *second = hessian(jet)[:, 0].diagonal(dim1=-2, dim2=-1).unbind(-1)
        c2 = torch.from_numpy(1 / m(batch.x[:, 1:].cpu().numpy())).to(u_tt)
        return (u_tt - c2 * sum(second))[:, None] / RESIDUAL_SCALE

    return residual


def _initial_value(position: tuple[float, float]) -> Residual:
    def residual(jet: Jet, batch: Batch) -> Tensor:
        return jet.value - _pulse(batch.x[:, 1:], position).to(jet.value)

    return residual


def _initial_velocity(jet: Jet, batch: Batch) -> Tensor:
    return gradient(jet)[:, :1]


def _boundary_condition(domain: Domain, boundary: str, size: int, *, seed: int) -> Constraint:
    """Constraint on the four sides of the square."""
    dirichlet = boundary == "dirichlet"

    def residual(jet: Jet, batch: Batch) -> Tensor:
        if dirichlet:
            return jet.value
        assert batch.normal is not None
        return (gradient(jet) * batch.normal.to(jet.value)).sum(-1, keepdim=True)

    sides = [(axis, side) for axis in (1, 2) for side in (0, 1)]
    sampler = boundary_points(domain, size, faces=sides, seed=seed)
    order, weight = (0, 1.0) if dirichlet else (1, 1e-3)
    return Constraint("boundary", sampler, residual, order=order, weight=weight)


def _around_wavefront(domain: Domain, m: Slowness, position: tuple[float, float], size: int, *, seed: int) -> Sampler:
    """Sobol points, three quarters of which are moved to where the wave can be at their time.

    Half of the moved points lie within `PULSE_RADIUS` of the first wavefront, the others anywhere behind it. Early
    times are more frequent. Reflections are included as wavefronts in mirror images of the square.
    """
    everywhere, (coords, times) = sobol(domain, size, seed=seed), _arrivals(m, position)
    duration = domain.upper[0]

    def batch(step: int) -> Batch:
        x, random = everywhere(step).x.clone(), np.random.default_rng((seed, step, 17))
        moved = 3 * len(x) // 4
        x[:moved, 0] = duration * (x[:moved, 0] / duration) ** 1.5
        t = x[:moved, 0].numpy()
        arrival = (t + PULSE_RADIUS) * np.sqrt(random.random(moved))
        front = slice(0, moved // 2)
        arrival[front] = np.abs(t[front] + PULSE_RADIUS * (2 * random.random(moved // 2) - 1))
        # a random cell among those with this arrival time
        first, end = (np.searchsorted(times, arrival + offset) for offset in (-ARRIVAL_CELL, ARRIVAL_CELL))
        found = np.flatnonzero(end > first)  # the others keep their place: the wave has passed the whole plane
        cells = coords[(first + random.random(moved) * (end - first)).astype(int)[found]]
        cells += ARRIVAL_CELL * (random.random(cells.shape) - 0.5)
        x[found, 1:] = torch.from_numpy(_reflected(cells))
        return Batch(x)

    return batch


def _initial_points(position: tuple[float, float], size: int, *, seed: int) -> Sampler:
    """Points at t = 0, three quarters of them normally distributed around the pulse and the others uniformly."""

    def batch(step: int) -> Batch:
        random = np.random.default_rng((seed, step, 19))
        x = 2 * random.random((size, 2)) - 1
        near = 3 * len(x) // 4
        x[:near] = np.asarray(position) + PULSE_RADIUS * random.standard_normal((near, 2)) / 3
        return Batch(torch.from_numpy(np.concatenate([np.zeros((len(x), 1)), _reflected(x)], axis=1)))

    return batch


def _evaluation_points(duration: float) -> Float64[np.ndarray, "n 3"]:
    times = (np.arange(EVALUATION_TIMES) + 0.5) / EVALUATION_TIMES * duration
    axis = np.linspace(-1, 1, EVALUATION_POINTS)
    return np.stack(np.meshgrid(times, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def _pulse(x: Tensor, position: tuple[float, float]) -> Tensor:
    return torch.exp(-(x - x.new_tensor(position)).square().sum(-1, keepdim=True) / (2 * VARIANCE))


def _reflected(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Points outside of the square, reflected at its sides into the square."""
    return np.asarray(1 - np.abs((x + 1) % 4 - 2))


def _arrivals(
    m: Slowness, position: tuple[float, float]
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, " n"]]:
    """Cells of a plane of mirror images of the square and their first-arrival times, in order of the times.

    The error of the times is at most 4%: paths in the grid are up to 8% longer than straight lines, and the slowness is
    scaled by 0.96 to center the error.
    """
    axis = np.arange(-3, 3, ARRIVAL_CELL) + ARRIVAL_CELL / 2
    plane = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    cost = 0.96 * ARRIVAL_CELL * np.sqrt(m(_reflected(plane.reshape(-1, 2)))).reshape(plane.shape[:2])
    row, column = np.searchsorted(axis, position)
    times = _shortest_paths(cost, (int(row), int(column)))
    order = np.argsort(times)
    return plane.reshape(-1, 2)[order], times[order]


def _shortest_paths(cost: Float64[np.ndarray, "h w"], start: tuple[int, int]) -> Float64[np.ndarray, " n"]:
    """Costs of the cheapest paths from one cell to all cells (n = h w), with steps to the 8 neighbors of a cell.

    A step costs the mean of its two cells times its length, 1 or √2.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    index = np.arange(cost.size).reshape(cost.shape)
    steps = [
        (1.0, np.s_[:-1, :], np.s_[1:, :]),
        (1.0, np.s_[:, :-1], np.s_[:, 1:]),
        (2**0.5, np.s_[:-1, :-1], np.s_[1:, 1:]),
        (2**0.5, np.s_[:-1, 1:], np.s_[1:, :-1]),
    ]
    rows = np.concatenate([index[a].ravel() for _, a, _ in steps])
    columns = np.concatenate([index[b].ravel() for _, _, b in steps])
    weights = np.concatenate([(length * 0.5 * (cost[a] + cost[b])).ravel() for length, a, b in steps])
    graph = csr_array((weights, (rows, columns)), shape=(cost.size, cost.size))
    return np.asarray(dijkstra(graph, directed=False, indices=index[start]))


def _fourier_series(position: tuple[float, float], boundary: str) -> Reference:
    """Solution Σ aₘₙ cos(kₘₙ t) φₘ(y) φₙ(x) for c = 1 m/s, with sines (Dirichlet) or cosines (Neumann) φ."""
    count = int(np.ceil(2 * 8 / np.sqrt(VARIANCE) / np.pi))
    k = np.arange(count) * np.pi / 2
    modes: Callable[[Float64[np.ndarray, " n"]], Float64[np.ndarray, "n k"]] = (
        (lambda x: np.sin(np.multiply.outer(x + 1, k)))
        if boundary == "dirichlet"
        else (lambda x: np.cos(np.multiply.outer(x + 1, k)) / np.where(k == 0, np.sqrt(2), 1))
    )
    # integral of each mode times the pulse, which is negligible at the boundary
    width = np.sqrt(2 * np.pi * VARIANCE) * np.exp(-(k**2) * VARIANCE / 2)
    along_y, along_x = (modes(np.array([at]))[0] * width for at in position)
    frequency = np.hypot(k[:, None], k[None])

    def reference(x: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 1"]:
        u = np.empty((len(x), 1))
        for t in np.unique(x[:, 0]):
            rows = np.flatnonzero(x[:, 0] == t)
            weights = along_y[:, None] * along_x * np.cos(frequency * t)
            u[rows, 0] = ((modes(x[rows, 1]) @ weights) * modes(x[rows, 2])).sum(axis=1)
        return u

    return reference


def _finite_differences(
    m: Slowness, position: tuple[float, float], boundary: str, cells: int = FINITE_DIFFERENCE_POINTS
) -> Reference:
    """Solution by fourth-order finite differences in space and Verlet integration in time."""
    from scipy.interpolate import RectBivariateSpline

    axis, h = np.linspace(-1, 1, cells, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    c2 = (1 / m(grid)).reshape(cells, cells)
    max_step = 0.25 * h / float(np.sqrt(c2.max()))
    padding: Any = {"mode": "reflect", "reflect_type": "odd" if boundary == "dirichlet" else "even"}

    def acceleration(u: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, "n n"]:
        def second(u: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, "n n"]:
            p = np.pad(u, ((2, 2), (0, 0)), **padding)
            return np.asarray((16 * (p[1:-3] + p[3:-1]) - p[:-4] - p[4:] - 30 * p[2:-2]) / (12 * h**2))

        return np.asarray(c2 * (second(u) + second(u.T).T))

    def reference(x: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 1"]:
        values, t = np.empty((len(x), 1)), 0.0
        u = _pulse(torch.from_numpy(grid), position).numpy().reshape(cells, cells)
        v, a = np.zeros_like(u), acceleration(u)
        for until in np.unique(x[:, 0]):
            steps = int(np.ceil((until - t) / max_step))
            for _ in range(steps):
                dt = (until - t) / steps
                v += dt / 2 * a
                u = u + dt * v
                a = acceleration(u)
                v += dt / 2 * a
            t = until
            rows = x[:, 0] == until
            values[rows, 0] = RectBivariateSpline(axis, axis, u).ev(x[rows, 1], x[rows, 2])
        return values

    return reference
