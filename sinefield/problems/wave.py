"""The wave equation in the plane, from a pulse at rest (Sitzmann et al. 2020, section 4.3).

    ∂²u/∂t² = c² Δu,   u(0, x) = exp(-|x|² / 2σ²),   ∂u/∂t(0, x) = 0,   on [-1, 1]²

with σ² = 5e-4 of the official code; its pulse is 0.02 high, and the equation is linear.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.jets import Jet
from sinefield.jets.operators import gradient, hessian
from sinefield.problems.helmholtz import Slowness, slowness
from sinefield.problems.problem import Problem, Reference
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import boundary, sobol

VARIANCE = 5e-4
"""σ² of the pulse."""

DURATION = 0.4
"""Of the paper's experiment, in s."""

TIME = 0.4
"""What is mapped to a length of 1, in s."""

SCALE = 300.0
"""The second derivatives over this weigh as much as the values: an error of the first adds up over the time that the
wave takes, which its curvature of 1/σ² = 2,000 has to be divided by."""

EDGE = 0.03
"""Over which the speed goes from one to the other, in m: a jump would throw back a kink that no smooth field has, and
the differences would be good to a cell only."""

PAD = 0.1
"""How far beyond a front the wave still is something: four times its width."""

CELL = 0.01
"""Of the grid on which the first wave's arrival is found."""

TIMES, GRID, CELLS = 9, 96, 501
"""Times at which a solution is judged, points along each side of the square then, and those of the differences."""

WALLS = ("dirichlet", "neumann")


def wave(
    velocity: str = "uniform",
    walls: str = "dirichlet",
    duration: float = DURATION,
    source: tuple[float, float] | None = None,
    *,
    size: int = 1024,
    seed: int = 0,
) -> Problem:
    """A pulse that goes out in rings, and comes back from the walls if it has the time.

    It is judged in all of the square at nine times: for a uniform velocity by its Fourier series, else by finite
    differences.

    Args:
        velocity: as for `sinefield.problems.helmholtz.slowness`.
        walls: "dirichlet" for u = 0 there, "neumann" for a normal derivative of 0.
        duration: how long, in s.
        source: the pulse's place (y, x); the middle in a uniform velocity, else 0.35 to the left of it.
        size: points in a step, of the equation and of the beginning and the walls together.
        seed: of the points.

    Raises:
        InputError: another velocity or walls, a time that is not positive, a source outside.
    """
    m = slowness(velocity, EDGE)
    if walls not in WALLS:
        raise InputError(f"the walls are dirichlet or neumann; found {walls!r}")
    if not 0 < duration <= 10:
        raise InputError(f"the wave goes on for some time, up to 10 s; found {duration}")
    position = ((0.0, 0.0) if velocity == "uniform" else (0.0, -0.35)) if source is None else source
    if not all(abs(at) < 0.9 for at in position):
        raise InputError(f"the pulse begins between -0.9 and 0.9 along each axis; found {position}")
    domain = Domain((0.0, -1.0, -1.0), (duration, 1.0, 1.0), ("t", "y", "x"), ("s", "m", "m"), (TIME, 1.0, 1.0))

    def equation(jet: Jet, batch: Batch) -> Tensor:
        u_tt, *second = hessian(jet)[:, 0].diagonal(dim1=-2, dim2=-1).unbind(-1)
        c2 = torch.from_numpy(1 / m(batch.x[:, 1:].cpu().numpy())).to(u_tt)
        return (u_tt - c2 * sum(second))[:, None] / SCALE

    def begins(jet: Jet, batch: Batch) -> Tensor:
        return jet.value - _pulse(batch.x[:, 1:], position).to(jet.value)

    def rests(jet: Jet, batch: Batch) -> Tensor:
        return gradient(jet)[:, :1]

    def reflects(jet: Jet, batch: Batch) -> Tensor:
        if walls == "dirichlet":
            return jet.value
        assert batch.normal is not None
        return (gradient(jet) * batch.normal.to(jet.value)).sum(-1, keepdim=True)

    everywhere, reached, soonest = sobol(domain, size * 5 // 8, seed=seed), *_arrivals(m, position)

    def near_the_wave(step: int) -> Batch:
        """Three in four of the points where the first wave can be, half of these at its front, more of them early."""
        x, random = everywhere(step).x.clone(), np.random.default_rng((seed, step, 17))
        most = 3 * len(x) // 4
        x[:most, 0] = duration * (x[:most, 0] / duration) ** 1.5
        t = x[:most, 0].numpy()
        arrival = (t + PAD) * np.sqrt(random.random(most))
        front = slice(0, most // 2)
        arrival[front] = np.abs(t[front] + PAD * (2 * random.random(most // 2) - 1))
        least, end = (np.searchsorted(soonest, arrival + off) for off in (-CELL, CELL))
        there = np.flatnonzero(end > least)  # the others are where they were, for by then the wave is everywhere
        at = reached[(least + random.random(most) * (end - least)).astype(int)[there]]
        at += CELL * (random.random(at.shape) - 0.5)
        x[there, 1:] = torch.from_numpy(_folded(at))
        return Batch(x)

    def at_the_beginning(step: int) -> Batch:
        random = np.random.default_rng((seed, step, 19))
        x = 2 * random.random((size // 4, 2)) - 1
        most = 3 * len(x) // 4
        x[:most] = np.asarray(position) + PAD * random.standard_normal((most, 2)) / 3
        return Batch(torch.from_numpy(np.concatenate([np.zeros((len(x), 1)), _folded(x)], axis=1)))

    sides = [(axis, side) for axis in (1, 2) for side in (0, 1)]
    times = (np.arange(TIMES) + 0.5) / TIMES * duration
    axis = np.linspace(-1, 1, GRID)
    return Problem(
        "wave",
        domain,
        [
            Constraint("equation", near_the_wave, equation, order=2, hessian=True),
            Constraint("beginning", at_the_beginning, begins, weight=10),
            Constraint("rest", at_the_beginning, rests, order=1, weight=1e-2),
            Constraint(
                "walls",
                boundary(domain, size // 8, faces=sides, seed=seed),
                reflects,
                order=int(walls == "neumann"),
                weight=1.0 if walls == "dirichlet" else 1e-3,
            ),
        ],
        omega=30.0,
        reference=_series(position, walls) if velocity == "uniform" else _differences(m, position, walls),
        eval_points=np.stack(np.meshgrid(times, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3),
    )


def _pulse(x: Tensor, position: tuple[float, float]) -> Tensor:
    return torch.exp(-(x - x.new_tensor(position)).square().sum(-1, keepdim=True) / (2 * VARIANCE))


def _folded(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Points beyond the walls as they come back from them."""
    return np.asarray(1 - np.abs((x + 1) % 4 - 2))


def _arrivals(
    m: Slowness, position: tuple[float, float]
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, " n"]]:
    """Where the first wave is at what time, soonest first, in a plane of mirror images of the square.

    The paths are along the edges and diagonals of a grid, up to 4% too long or too short.
    """
    from skimage.graph import MCP_Geometric

    axis = np.arange(-3, 3, CELL) + CELL / 2
    plane = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    cost = 0.96 * CELL * np.sqrt(m(_folded(plane.reshape(-1, 2)))).reshape(plane.shape[:2])
    times = MCP_Geometric(cost).find_costs([np.searchsorted(axis, position)])[0].ravel()
    order = np.argsort(times)
    return plane.reshape(-1, 2)[order], times[order]


def _series(position: tuple[float, float], walls: str) -> Reference:
    """Fourier's series: Σ aₘₙ cos(c kₘₙ t) of products of sines (u = 0 on the walls) or cosines."""
    count = int(np.ceil(2 * 8 / np.sqrt(VARIANCE) / np.pi))
    k = np.arange(count) * np.pi / 2
    modes = (
        (lambda x: np.sin(np.multiply.outer(x + 1, k)))
        if walls == "dirichlet"
        else (lambda x: np.cos(np.multiply.outer(x + 1, k)) / np.where(k == 0, np.sqrt(2), 1))
    )
    # the integral of a mode against the pulse, which is as good as zero at the walls
    width = np.sqrt(2 * np.pi * VARIANCE) * np.exp(-(k**2) * VARIANCE / 2)
    along_y, along_x = (modes(np.array([at]))[0] * width for at in position)
    speed = np.hypot(k[:, None], k[None])

    def reference(x: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 1"]:
        found = np.empty((len(x), 1))
        for t in np.unique(x[:, 0]):
            here = np.flatnonzero(x[:, 0] == t)
            weights = along_y[:, None] * along_x * np.cos(speed * t)
            found[here, 0] = ((modes(x[here, 1]) @ weights) * modes(x[here, 2])).sum(axis=1)
        return found

    return reference


def _differences(m: Slowness, position: tuple[float, float], walls: str, cells: int = CELLS) -> Reference:
    """Differences of fourth order in space, and Verlet's steps in time."""
    from scipy.interpolate import RectBivariateSpline

    axis, h = np.linspace(-1, 1, cells, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    c2 = (1 / m(grid)).reshape(cells, cells)
    longest = 0.25 * h / float(np.sqrt(c2.max()))
    mirror: Any = {"mode": "reflect", "reflect_type": "odd" if walls == "dirichlet" else "even"}

    def acceleration(u: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, "n n"]:
        def second(u: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, "n n"]:
            p = np.pad(u, ((2, 2), (0, 0)), **mirror)
            return np.asarray((16 * (p[1:-3] + p[3:-1]) - p[:-4] - p[4:] - 30 * p[2:-2]) / (12 * h**2))

        return np.asarray(c2 * (second(u) + second(u.T).T))

    def reference(x: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 1"]:
        found, t = np.empty((len(x), 1)), 0.0
        u = _pulse(torch.from_numpy(grid), position).numpy().reshape(cells, cells)
        v, a = np.zeros_like(u), acceleration(u)
        for until in np.unique(x[:, 0]):
            steps = int(np.ceil((until - t) / longest))
            for _ in range(steps):
                dt = (until - t) / steps
                v += dt / 2 * a
                u = u + dt * v
                a = acceleration(u)
                v += dt / 2 * a
            t = until
            here = x[:, 0] == until
            found[here, 0] = RectBivariateSpline(axis, axis, u).ev(x[here, 1], x[here, 2])
        return found

    return reference
