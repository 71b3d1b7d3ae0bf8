"""Full-waveform inversion: the wave speed of a medium from measured waves (Sitzmann et al. 2020, section 4.3).

The waves of N sources satisfy the Helmholtz equation in a medium of squared slowness m and are measured at receivers.
Waves and medium are both represented by fields, and the residual of the equation couples them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sinefield.constraints.constraint import Constraint, Residual
from sinefield.domain import Domain
from sinefield.errors import InputError, one_line
from sinefield.files import check_input
from sinefield.jets import Jet
from sinefield.problems.helmholtz import (
    LAYER,
    TYPICAL_VALUE,
    Slowness,
    finite_differences,
    hankel,
    plane,
    pml_laplacian,
    slowness,
)
from sinefield.sampling.batch import Batch, Sampler
from sinefield.sampling.collocation import boundary, sobol

DATA_WEIGHT = 1.0
"""Weight of the measured data in the loss."""

BOUNDARY_POINTS = 16
"""Number of points per step on the outer boundary."""


@dataclass(frozen=True)
class Survey:
    """Measured waves, in the plane of `sinefield.problems.helmholtz`.

    Attributes:
        sources: Positions (y, x) of N sources, in m.
        receivers: Positions of R receivers (R, 2), in m.
        data: Real and imaginary part of the wave of each source at each receiver (R, 2N).
        wavenumber: Wavenumber k where c = 1 m/s, in 1/m.
        slowness: Squared slowness m of the medium, where it is known; used to evaluate the error.
        name: Name of the survey in messages and files.
    """

    sources: Sequence[tuple[float, float]]
    receivers: Float64[np.ndarray, "R 2"]
    data: Float64[np.ndarray, "R M"]
    wavenumber: float = 20.0
    slowness: Slowness | None = None
    name: str = "survey"

    def __post_init__(self) -> None:
        expected = (len(self.receivers), 2 * len(self.sources))
        if self.data.shape != expected or not self.data.size:
            raise InputError(
                f"{self.name}: data of {len(self.sources)} sources and {len(self.receivers)} receivers must have the "
                f"shape {expected}; found {self.data.shape}"
            )
        if not np.isfinite(self.data).all():
            raise InputError(f"{self.name}: data must be finite numbers")
        coords = np.concatenate([np.asarray(self.sources), self.receivers])
        if not (np.abs(coords) < 1 - LAYER).all():
            raise InputError(f"{self.name}: sources and receivers must lie between -0.5 and 0.5 m along each axis")


def read_survey(path: Path) -> Survey:
    """Read a survey in the MATLAB format of the official code.

    Args:
        path: File with `source` (N, 2) and `receivers` (R, 2) as (x, y), and complex `rec_val` (R, N).

    Raises:
        InputError: The file does not exist, is not a MATLAB file, or lacks one of these variables.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    check_input(path)
    try:
        variables = loadmat(path)
        sources, receivers, values = (variables[name] for name in ("source", "receivers", "rec_val"))
    except (MatReadError, ValueError, NotImplementedError, TypeError, OSError) as error:
        raise InputError(f"{path} is not a readable MATLAB file ({one_line(error)})") from error
    except KeyError as error:
        raise InputError(f"{path} has no {error}; a survey has source, receivers and rec_val") from error
    data = np.stack([values.real, values.imag], axis=-1).reshape(len(values), -1).astype(np.float64)
    coords = [tuple(map(float, position[::-1])) for position in sources]
    return Survey(coords, np.ascontiguousarray(receivers[:, ::-1], dtype=np.float64), data, name=path.stem)  # type: ignore[arg-type]


def simulated(velocity: str, sources: Sequence[tuple[float, float]] = ((0.0, -0.35),), side: int = 12) -> Survey:
    """Simulate a survey by finite differences, with a square grid of receivers between -0.4 and 0.4 m.

    Args:
        velocity: "square" or "circle", as for `sinefield.problems.helmholtz.slowness`.
        sources: Positions (y, x) of the sources, in m.
        side: Number of receivers along each side of the grid.

    Raises:
        InputError: `velocity` is unknown.
    """
    m, axis = slowness(velocity), np.linspace(-0.4, 0.4, side)
    receivers = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    waves = [finite_differences(m, source, 20.0)(receivers) for source in sources]
    data = np.stack([part for u in waves for part in (u.real, u.imag)], axis=1)
    return Survey(sources, receivers, data, slowness=m, name=velocity)


def inversion(survey: Survey, *, size: int = 1024, seed: int = 0) -> list[Constraint]:
    """Constraints on the scattered waves v of N sources and on log c of the medium.

        Δv + k² m v = k² (1 - m) u₀   and   u₀ + v = data at the receivers

    Here u₀ is the wave of a source in a uniform medium. The scattered wave v is smooth at the source, and zero if the
    medium is uniform. The field has 2N + 1 channels: the real and the imaginary part of each v, and log c, from which
    m = exp(-2 log c) is positive.

    Args:
        survey: Measured waves.
        size: Number of collocation points of the equation per step; a source is drawn for each of them.
        seed: Seed of the collocation points.

    Source: scattered-field form, Colton and Kress, "Inverse acoustic and electromagnetic scattering theory".
    """
    sources, domain, k = list(survey.sources), plane(), survey.wavenumber
    parts = 2 * len(sources)
    incident = np.stack([hankel(survey.receivers, source, k) for source in sources], axis=1)
    scattered = survey.data - np.stack([incident.real, incident.imag], axis=-1).reshape(survey.data.shape)
    measured = Batch(torch.from_numpy(survey.receivers), torch.from_numpy(scattered))

    def misfit(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        return (jet.value[:, :parts] - batch.target.to(jet.value)) / TYPICAL_VALUE

    points = _points(domain, sources, k, size, seed=seed)
    return [
        Constraint("equation", points, _scattering(len(sources), k), order=2, hessian=True),
        Constraint(
            "outer boundary",
            boundary(domain, BOUNDARY_POINTS, seed=seed),
            lambda jet, batch: jet.value[:, :parts],
        ),
        Constraint("data", lambda step: measured, misfit, weight=DATA_WEIGHT),
    ]


def _points(domain: Domain, sources: list[tuple[float, float]], k: float, size: int, *, seed: int) -> Sampler:
    """Sobol points, half of them in the interior; the target (n, 3) is the index of a random source and its u₀."""
    everywhere = sobol(domain, size, seed=seed)

    def batch(step: int) -> Batch:
        x, random = everywhere(step).x.clone(), np.random.default_rng((seed, step, 23))
        x[: size // 2] *= 1 - LAYER
        index = random.integers(0, len(sources), size)
        u = hankel(x.numpy(), np.asarray(sources)[index], k)
        return Batch(x, torch.from_numpy(np.stack([index, u.real, u.imag], axis=1)))

    return batch


def _scattering(n_sources: int, k: float) -> Residual:
    """Residual (n, 2) of the equation of the scattered wave, of the source whose index is in the target."""

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        index, m = batch.target[:, :1].long(), torch.exp(-2 * jet.value[:, 2 * n_sources :])
        fields = pml_laplacian(jet.channels(slice(0, 2 * n_sources)), batch.x)
        v, laplacian = (each.take_along_dim(index, dim=1) for each in fields)
        u = torch.view_as_complex(batch.target[:, None, 1:].contiguous()).to(v)
        c = laplacian + k**2 * (m * v + (m - 1) * u)
        return torch.view_as_real(c).flatten(1) / (TYPICAL_VALUE * k**2)

    return residual
