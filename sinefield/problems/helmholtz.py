"""The Helmholtz equation of point-like sources in an open plane (Sitzmann et al. 2020, section 4.3).

    Σₖ (1/eₖ) ∂ₖ (1/eₖ ∂ₖ u) + k² m u = s   on [-1, 1]²,   with eₖ = 1 - i a₀ (dₖ / L)²

where m = 1/c² is the squared slowness, s sharp Gaussians, and dₖ how deep a point lies in the layers that let waves out
and none back: perfectly matched, L = 0.5 wide, a₀ = 5. This is the official code's equation over eₓe_y; time goes as
exp(iωt), so a wave that goes out is exp(-ikr).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Complex, Complex128, Float, Float64
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.domain import Domain, box
from sinefield.errors import InputError
from sinefield.jets import Jet
from sinefield.jets.operators import hessian, jacobian
from sinefield.networks.hard_constraint import GaussianSources
from sinefield.problems.problem import Problem
from sinefield.sampling.batch import Batch, Sampler
from sinefield.sampling.collocation import boundary, sobol

ABSORPTION, LAYER = 5.0, 0.5
"""a₀ and L."""

VARIANCE, STRENGTH = 1e-4, (1.0, 1.0)
"""σ² of a source, and the real and imaginary part of its integral."""

REACH = 0.5
"""How far from a source its potential is taken away from what the network has to learn."""

USUAL = 0.1
"""What |u| is like, so that k² m u over this is near 1."""

EDGE = 0.01
"""Half of the width over which the speed changes in what a network learns: points meet a jump by chance alone."""

CELLS, FINEST = 601, 40.0
"""Points along an axis of the finite differences, and the largest wavenumber that these are good for, to 1%."""

Slowness = Callable[[Float64[np.ndarray, "n 2"]], Float64[np.ndarray, " n"]]


def plane() -> Domain:
    return box((-1.0, -1.0), (1.0, 1.0), ("y", "x"), ("m", "m"))


def slowness(velocity: str, width: float = 0.0) -> Slowness:
    """m = 1/c² at points (n, 2), where c is 1, and 2 inside of a square of side 0.6 or of a circle of radius 0.1.

    Args:
        width: over which m goes from one to the other, as a hyperbolic tangent does; 0 for a jump.

    Raises:
        InputError: another velocity.
    """
    outside: dict[str, Slowness] = {
        "uniform": lambda x: np.full(len(x), np.inf),
        "square": lambda x: np.asarray(np.abs(x).max(axis=1) - 0.3),
        "circle": lambda x: np.asarray(np.linalg.norm(x, axis=1) - 0.1),
    }
    if velocity not in outside:
        raise InputError(f"the velocity is uniform, square or circle; found {velocity!r}")
    distance = outside[velocity]

    def m(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, " n"]:
        d = distance(x)
        return np.asarray(1 - 0.375 * (1 - (np.tanh(d / width) if width else np.sign(d))))

    return m


def helmholtz(
    velocity: str = "uniform",
    wavenumber: float = 20.0,
    source: tuple[float, float] | None = None,
    *,
    size: int = 1024,
    seed: int = 0,
) -> Problem:
    """The field of one source, its real and its imaginary part as two channels.

    It is judged in the interior, where no layer is, beyond 0.1 of the source: for a uniform velocity by Hankel's
    function, else by finite differences.

    Args:
        velocity: as for `slowness`.
        wavenumber: k of a wave where c = 1, in 1/m; up to 100, up to 40 where the velocity is not uniform.
        source: its place (y, x); the middle in a uniform velocity, else 0.35 to the left of it.
        size: points in a step.
        seed: of the points.

    Raises:
        InputError: another velocity, a wavenumber that is not positive, a source outside of the interior.
    """
    m, smooth = slowness(velocity), slowness(velocity, EDGE)
    if not 0 < wavenumber <= 100:
        raise InputError(f"the wavenumber must be positive, up to 100 on this square; it is {wavenumber}")
    position = ((0.0, 0.0) if velocity == "uniform" else (0.0, -0.35)) if source is None else source
    if not all(abs(at) < 1 - LAYER for at in position):
        raise InputError(f"the source lies between -0.5 and 0.5 along each axis; found {position}")
    if velocity != "uniform" and wavenumber > FINEST:
        raise InputError(
            f"the differences that judge a {velocity} are for wavenumbers up to {FINEST:g}; {wavenumber:g} is more"
        )

    def reference(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        u = hankel(x, position, wavenumber) if velocity == "uniform" else finite_differences(m, position, wavenumber)(x)
        return np.stack([u.real, u.imag], axis=1)

    def medium(jet: Jet, batch: Batch) -> Tensor:
        return torch.from_numpy(smooth(batch.x.cpu().numpy())[:, None]).to(jet.value)

    axis = np.linspace(LAYER - 1, 1 - LAYER, 100)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    domain = plane()
    return Problem(
        "helmholtz",
        domain,
        [
            Constraint(
                "equation",
                around_sources(domain, [position], size, seed=seed),
                equation(medium, [position], wavenumber),
                order=2,
                hessian=True,
            ),
            Constraint("edge", boundary(domain, size // 16, seed=seed), lambda jet, batch: jet.value),
        ],
        channels=("re", "im"),
        hard_constraint=GaussianSources((position,), VARIANCE, REACH, STRENGTH),
        omega=wavenumber,
        reference=reference,
        seen=box((LAYER - 1,) * 2, (1 - LAYER,) * 2, domain.axes, domain.units),
        eval_points=grid[np.linalg.norm(grid - np.asarray(position), axis=1) > 0.1],
    )


def equation(
    medium: Callable[[Jet, Batch], Tensor], sources: list[tuple[float, float]], wavenumber: float
) -> Callable[[Jet, Batch], Tensor]:
    """The residual (n, 2N) of the fields of N sources, real and imaginary parts by turns, over the usual k² u.

    Args:
        medium: m at the points (n, 1), from the jet and the batch.
    """

    def residual(jet: Jet, batch: Batch) -> Tensor:
        u, spread = outward(jet.channels(slice(0, 2 * len(sources))), batch.x)
        c = spread + wavenumber**2 * medium(jet, batch) * u - source_terms(batch.x, sources).to(u)
        found: Tensor = torch.view_as_real(c).flatten(1) / (USUAL * wavenumber**2)
        return found

    return residual


def outward(jet: Jet, x: Float[Tensor, "n 2"]) -> tuple[Complex[Tensor, "n N"], Complex[Tensor, "n N"]]:
    """u, and Σₖ (1/eₖ) ∂ₖ (1/eₖ ∂ₖ u), of real and imaginary parts by turns: the Laplacian where no layer is."""
    first, second = jacobian(jet), hessian(jet).diagonal(dim1=-2, dim2=-1)
    u = as_complex(jet.value)
    e, slope = (part.to(u)[:, None] for part in layers(x))
    return u, (as_complex(second) / e**2 - slope / e**3 * as_complex(first)).sum(-1)


def layers(x: Float[Tensor, "n d"]) -> tuple[Complex[Tensor, "n d"], Complex[Tensor, "n d"]]:
    """e and its derivative along its own axis, at points."""
    deep = (x.abs() - (1 - LAYER)).clamp(min=0) / LAYER
    one = torch.ones_like(deep)
    return (
        torch.complex(one, -ABSORPTION * deep**2),
        torch.complex(0 * one, -2 * ABSORPTION * deep * x.sign() / LAYER),
    )


def source_terms(x: Float[Tensor, "n 2"], sources: list[tuple[float, float]]) -> Complex[Tensor, "n N"]:
    """s at points, of each source."""
    apart = (x[:, None] - x.new_tensor(sources)).square().sum(-1)
    return torch.exp(-apart / (2 * VARIANCE)) / (2 * np.pi * VARIANCE) * complex(*STRENGTH)


def around_sources(domain: Domain, sources: list[tuple[float, float]], size: int, *, seed: int) -> Sampler:
    """A Sobol sequence in the plane, of which a tenth is drawn around the sources instead, closer the nearer."""
    everywhere = sobol(domain, size, seed=seed)
    coords = torch.tensor(sources, dtype=torch.float64)

    def batch(step: int) -> Batch:
        x, random = everywhere(step).x.clone(), np.random.default_rng((seed, step, 13))
        near = size // 10
        radius, angle = 0.3 * random.random(near), 2 * np.pi * random.random(near)
        way = torch.from_numpy(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
        x[:near] = (coords[random.integers(0, len(coords), near)] + way).clamp(-1, 1)
        return Batch(x)

    return batch


def hankel(
    x: Float64[np.ndarray, "n 2"], source: tuple[float, float] | Float64[np.ndarray, "n 2"], wavenumber: float
) -> Complex128[np.ndarray, " n"]:
    """The field in a uniform velocity, some σ away from the source, or from one for each point.

        u = strength · (i/4) H₀⁽²⁾(k r) · exp(-k² σ² / 2)

    The last factor is what the Gaussian's width takes away: the Fourier transform of it at k.
    """
    from scipy.special import hankel2

    r = np.linalg.norm(x - np.asarray(source), axis=1)
    blunt = np.exp(-(wavenumber**2) * VARIANCE / 2)
    return np.asarray(complex(*STRENGTH) * 0.25j * hankel2(0, wavenumber * np.maximum(r, 1e-12)) * blunt)


def finite_differences(
    m: Slowness, source: tuple[float, float], wavenumber: float, cells: int = CELLS
) -> Callable[[Float64[np.ndarray, "n 2"]], Complex128[np.ndarray, " n"]]:
    """The field by second-order differences in the same layers, zero on the edge, interpolated by splines.

    At k = 20 and 601 points along an axis it is within 0.2% of Hankel's function.
    """
    from scipy import sparse
    from scipy.interpolate import RectBivariateSpline

    axis, h = np.linspace(-1, 1, cells, retstep=True)

    def stretched(at: Float64[np.ndarray, " n"]) -> Complex128[np.ndarray, " n"]:
        return layers(torch.from_numpy(at[:, None]))[0].numpy()[:, 0]

    step = sparse.diags([-np.ones(cells - 1) / h, np.ones(cells - 1) / h], [0, 1], shape=(cells - 1, cells))
    between = sparse.diags(1 / stretched((axis[1:] + axis[:-1]) / 2))
    second = sparse.diags(1 / stretched(axis)) @ (-step.T @ between @ step)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    # a cell that an edge of the medium cuts has the mean of it
    corners = [np.array([a, b]) * h / 4 for a in (-1, 1) for b in (-1, 1)]
    mean = np.mean([m(grid + corner) for corner in corners], axis=0)
    one = sparse.identity(cells)
    operator = sparse.kron(second, one) + sparse.kron(one, second) + sparse.diags(wavenumber**2 * mean)
    inner = np.flatnonzero((np.abs(grid) < 1 - h / 2).all(axis=1))
    s = source_terms(torch.from_numpy(grid), [source]).numpy()[:, 0]
    factors = sparse.linalg.splu(
        operator.tocsc()[inner][:, inner], permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}
    )
    u = np.zeros(cells**2, np.complex128)
    u[inner] = factors.solve(s[inner])
    parts = [RectBivariateSpline(axis, axis, part.reshape(cells, cells)) for part in (u.real, u.imag)]

    def at(x: Float64[np.ndarray, "n 2"]) -> Complex128[np.ndarray, " n"]:
        real, imaginary = (part.ev(x[:, 0], x[:, 1]) for part in parts)
        return np.asarray(real + 1j * imaginary)

    return at


def as_complex(parts: Tensor) -> Tensor:
    """(n, 2N, …) of real and imaginary parts by turns as complex numbers (n, N, …)."""
    return torch.complex(parts[:, ::2], parts[:, 1::2])
