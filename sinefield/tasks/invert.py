"""The medium that waves went through, as a field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Generator

from sinefield.domain import Domain
from sinefield.field.field import Field
from sinefield.networks import Concat, Siren
from sinefield.networks.hard_constraint import CompactSupport
from sinefield.networks.on_domain import OnDomain
from sinefield.parallel import WorkerPool
from sinefield.problems.helmholtz import plane
from sinefield.problems.inversion import Survey, inversion
from sinefield.signals import Header
from sinefield.tasks.fit import finish
from sinefield.training.device import available
from sinefield.training.loop import Progress, Stop
from sinefield.training.minimize import minimize
from sinefield.training.optimizers.natural import Natural

WIDTH, DEPTH, WIDTH_OF_MEDIUM, OMEGA_OF_MEDIUM = 64, 2, 32, 6.0
"""Of the waves' network, and of the medium's, which is smaller and smoother."""

WINDOW = 0.5
"""Half the side of the square that the medium may differ in."""

HEIGHT = 2.0
"""Of a network that begins at zero, so that the medium is learnt as fast as the waves are."""

STEPS = 200
"""Unless told otherwise."""

LIT, CELLS = 0.34, 128
"""Half the side of the square that is judged, within all receivers; and the pixels of the whole."""


def invert(
    survey: Survey,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    size: int = 1024,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Field:
    """log c, the logarithm of the velocity of a medium, from waves that were measured in it.

    The scattered waves and the medium are two networks that are found together: the equation binds one to the other.

    Args:
        survey: what was measured, from `sinefield.problems.inversion`.
        steps, seconds: when to stop, whichever comes first; 200 steps if neither is given.
        size: points of the equation in a step.
        seed: of weights and points.
        device, checkpoint, resume, progress: as for `fit`.

    Returns:
        The field of log c, zero where c is 1 (`velocity` is its exponential); `field.made` has the terms of the loss,
        the `centre` (y, x) of what is faster or slower, and, where the medium is known, `relative_l2` of the velocity
        in the square of half a side of 0.34.

    Raises:
        InputError: what `fit` raises.
    """
    stop = Stop(STEPS if steps is None and seconds is None else steps, seconds)
    domain, generator = plane(), Generator().manual_seed(seed)
    options: dict[str, Any] = {"width": WIDTH, "depth": DEPTH, "omega_first": survey.wavenumber}
    waves = Siren(2, 2 * len(survey.sources), generator=generator, **options).double()
    inside = Siren(2, 1, WIDTH_OF_MEDIUM, 1, omega_first=OMEGA_OF_MEDIUM, generator=generator).double()
    for network in (waves, inside):  # in a uniform medium nothing is scattered
        network.weights[-1].data.zero_()
        network.biases[-1].data.zero_()
    header = Header("array", domain, (CELLS, CELLS), (), "float64", (-1.0,), (1.0,))
    made = {"source": survey.name, "seed": seed, "sources": len(survey.sources), "receivers": len(survey.receivers)}
    medium = Field(inside, header, made, hard_constraint=CompactSupport(WINDOW, 0.0, HEIGHT)).to(available(device))
    function = Concat(OnDomain(waves, domain), medium.function).to(medium.middle.device)
    constraints = inversion(survey, size=size, seed=seed)
    optimizer = Natural(list(function.parameters()), lr=0.5, noise=0.3)
    with WorkerPool(medium.middle.device) as pool:
        medium.function.requires_grad_()
        state, stopped = minimize(
            function,
            constraints,
            optimizer,
            stop,
            evaluate_every=10,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            identity={**made, "size": size},
            progress=progress,
            pool=pool,
        )
    finish(medium, state, stopped)
    medium.made |= {"parameters": sum(p.numel() for p in function.parameters()), "terms": state.terms}
    medium.made |= medium_quality(medium, survey)
    return medium


def velocity(field: Field, x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, " n"]:
    """c at points, in units of the speed around, of a field of log c."""
    return np.asarray(np.exp(field.at(x)))


def medium_quality(field: Field, survey: Survey) -> dict[str, Any]:
    """Where a medium differs from a uniform one, and how far it is from the truth where that is known."""
    lit = Domain((-LIT,) * 2, (LIT,) * 2, ("y", "x"), ("m", "m"), (LIT,) * 2)
    x = np.stack(np.meshgrid(*lit.centers((CELLS, CELLS)), indexing="ij"), axis=-1).reshape(-1, 2)
    c = velocity(field, x)
    weight = np.square(c - 1)
    found: dict[str, Any] = {"centre": (weight @ x / weight.sum()).round(4).tolist(), "fastest": float(c.max())}
    if survey.slowness is not None:
        reference = 1 / np.sqrt(survey.slowness(x))
        found["relative_l2"] = float(np.linalg.norm(c - reference) / np.linalg.norm(reference))
    return found
