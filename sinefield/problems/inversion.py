"""The speed of a medium from waves that were measured in it (Sitzmann et al. 2020, section 4.3 and supplement).

The waves of N sources satisfy the Helmholtz equation in a medium of squared slowness m, and are known at receivers.
Both are fields: what the receivers miss pulls at m through the equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.errors import InputError, one_line
from sinefield.files import check_input
from sinefield.jets import Jet
from sinefield.problems.helmholtz import LAYER, USUAL, Slowness, finite_differences, hankel, outward, plane, slowness
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import boundary, sobol

MEASURED = 1.0
"""The weight of what was measured."""


@dataclass(frozen=True)
class Survey:
    """Waves as they were measured, on the plane of `sinefield.problems.helmholtz`.

    Attributes:
        sources: places (y, x) of N sources.
        receivers: places of R receivers (R, 2).
        data: real and imaginary part of each source's wave there (R, 2N).
        wavenumber: k where c = 1, in 1/m.
        slowness: the medium's m, where it is known, to judge by.
        name: where it came from.
    """

    sources: Sequence[tuple[float, float]]
    receivers: Float64[np.ndarray, "R 2"]
    data: Float64[np.ndarray, "R M"]
    wavenumber: float = 20.0
    slowness: Slowness | None = None
    name: str = "survey"

    def __post_init__(self) -> None:
        if self.data.shape != (len(self.receivers), 2 * len(self.sources)) or not self.data.size:
            raise InputError(
                f"{self.name}: {len(self.sources)} sources and {len(self.receivers)} receivers have data of the shape "
                f"({len(self.receivers)}, {2 * len(self.sources)}); found {self.data.shape}"
            )
        if not np.isfinite(self.data).all():
            raise InputError(f"{self.name}: the data are not all finite numbers")
        coords = np.concatenate([np.asarray(self.sources), self.receivers])
        if not (np.abs(coords) < 1 - LAYER).all():
            raise InputError(f"{self.name}: sources and receivers lie between -0.5 and 0.5 along each axis")


def read_survey(path: Path) -> Survey:
    """The official experiment's file: `source` (N, 2) and `receivers` (R, 2) as (x, y), and complex `rec_val` (R, N).

    Raises:
        InputError: no such file, no MATLAB file, or one without these.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    check_input(path)
    try:
        read = loadmat(path)
        sources, receivers, values = (read[name] for name in ("source", "receivers", "rec_val"))
    except (MatReadError, ValueError, NotImplementedError, TypeError, OSError) as error:
        raise InputError(f"{path} is no MATLAB file that can be read ({one_line(error)})") from error
    except KeyError as error:
        raise InputError(f"{path} has no {error}; a survey holds source, receivers and rec_val") from error
    data = np.stack([values.real, values.imag], axis=-1).reshape(len(values), -1).astype(np.float64)
    coords = [tuple(map(float, position[::-1])) for position in sources]
    return Survey(coords, np.ascontiguousarray(receivers[:, ::-1], dtype=np.float64), data, name=path.stem)  # type: ignore[arg-type]


def simulated(velocity: str, sources: Sequence[tuple[float, float]] = ((0.0, -0.35),), side: int = 12) -> Survey:
    """Waves by finite differences, known on a grid of `side` by `side` points between -0.4 and 0.4.

    Args:
        velocity: "square" or "circle", as for `sinefield.problems.helmholtz.slowness`.
        sources: their places (y, x).

    Raises:
        InputError: another velocity.
    """
    m, axis = slowness(velocity), np.linspace(-0.4, 0.4, side)
    receivers = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    waves = [finite_differences(m, source, 20.0)(receivers) for source in sources]
    data = np.stack([part for u in waves for part in (u.real, u.imag)], axis=1)
    return Survey(sources, receivers, data, slowness=m, name=velocity)


def inversion(survey: Survey, *, size: int = 1024, seed: int = 0) -> list[Constraint]:
    """The constraints on the scattered waves v and, as the last channel, log c, where m = 1/c² is positive so.

        Δv + k² m v = k² (1 - m) u₀   and   u₀ + v = what was measured

    where u₀ is the wave of a source in the uniform medium: v is smooth, and zero where there is nothing to be found.

    Args:
        size: points of the equation in a step, each for one of the sources.
        seed: of these.

    Source: the scattered-field form, as in Colton and Kress, "Inverse acoustic and electromagnetic scattering theory".
    """
    sources, domain, k = list(survey.sources), plane(), survey.wavenumber
    waves = 2 * len(sources)
    everywhere = sobol(domain, size, seed=seed)
    first = np.stack([hankel(survey.receivers, source, k) for source in sources], axis=1)
    scattered = survey.data - np.stack([first.real, first.imag], axis=-1).reshape(survey.data.shape)
    known = Batch(torch.from_numpy(survey.receivers), torch.from_numpy(scattered))

    def points(step: int) -> Batch:
        """Half of them within the receivers' square; as the target, the number of a source and its u₀."""
        x, random = everywhere(step).x.clone(), np.random.default_rng((seed, step, 23))
        x[: size // 2] *= 1 - LAYER
        one = random.integers(0, len(sources), size)
        u = hankel(x.numpy(), np.asarray(sources)[one], k)
        return Batch(x, torch.from_numpy(np.stack([one, u.real, u.imag], axis=1)))

    def equation(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        one, m = batch.target[:, :1].long(), torch.exp(-2 * jet.value[:, waves:])
        v, spread = (each.take_along_dim(one, dim=1) for each in outward(jet.channels(slice(0, waves)), batch.x))
        u = torch.view_as_complex(batch.target[:, None, 1:].contiguous()).to(v)
        c = spread + k**2 * (m * v + (m - 1) * u)
        return torch.view_as_real(c).flatten(1) / (USUAL * k**2)

    def measured(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        return (jet.value[:, :waves] - batch.target.to(jet.value)) / USUAL

    return [
        Constraint("equation", points, equation, order=2, hessian=True),
        Constraint("edge", boundary(domain, 16, seed=seed), lambda jet, batch: jet.value[:, :waves]),
        Constraint("data", lambda step: known, measured, weight=MEASURED),
    ]
