"""The velocity of a medium, from waves that were measured in it, as a field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Generator

from sinefield.domain import Domain
from sinefield.field.field import Field
from sinefield.field.info import FitInfo
from sinefield.networks import Concat, OnDomain, Siren
from sinefield.networks.hard_constraint import CompactSupport
from sinefield.parallel import WorkerPool
from sinefield.problems.helmholtz import plane
from sinefield.problems.inversion import Survey, inversion
from sinefield.progress import ProgressCallback
from sinefield.signals import Header
from sinefield.training.minimize import train
from sinefield.training.optimizers.choices import OPTIMIZERS, find_optimizer, repeat_batches
from sinefield.training.spec import Training
from sinefield.training.train_field import trained

WIDTH = 64
"""Units in a hidden layer of the network of the waves."""

DEPTH = 2
"""Hidden layers after the first of the network of the waves."""

MEDIUM_WIDTH = 32
"""Units in a hidden layer of the network of the medium, which is smoother than the waves."""

MEDIUM_OMEGA = 6.0
"""ω of the first layer of the network of the medium."""

MEDIUM_EXTENT = 0.5
"""Half the side of the square outside which the velocity is 1, in m."""

MEDIUM_SCALE = 2.0
"""Scale of the network of the medium, with which it is learned as fast as the waves."""

STEPS = 200
"""Default number of steps with natural gradients."""

EVAL_EXTENT = 0.34
"""Half the side of the square that is evaluated, which the receivers surround, in m."""

CELLS = 128
"""Cells along each side of the evaluated and of the displayed square."""


def invert(
    survey: Survey,
    *,
    optimizer: str = "natural",
    steps: int | None = None,
    seconds: float | None = None,
    size: int = 1024,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: ProgressCallback | None = None,
) -> Field:
    """Find log c, the logarithm of the velocity of a medium, from waves that were measured in it.

    The scattered waves and the medium are two networks that are trained together; the equation couples them.

    Args:
        survey: Sources, receivers and measurements, from `sinefield.problems.inversion`.
        optimizer: "natural", "soap", "adam" or "lbfgs".
        steps, seconds: When to stop, whichever comes first; by default a number of steps that suits the optimizer.
        size: Points of the equation in a step.
        seed: Seed of weights and points.
        device, dtype, checkpoint, resume, progress: As for `sinefield.fit`.

    Returns:
        The field of log c, zero where c is 1 (`velocity` is its exponential). `field.info.quality` has the terms of the
        loss, the `center` (y, x) of the region that is faster or slower and, where the medium is known, `relative_l2`
        of the velocity in the evaluated square.

    Raises:
        InputError: What `sinefield.fit` raises.
    """
    choice = find_optimizer(OPTIMIZERS, optimizer)
    training = Training(steps, seconds, None, seed, device, dtype, checkpoint, resume, progress)
    medium, function = _networks(survey, training, optimizer)
    with WorkerPool(medium.middle.device) as pool:
        state = train(
            function,
            repeat_batches(inversion(survey, size=size, seed=seed), choice),
            choice.create(list(function.parameters())),
            training.or_steps(STEPS if optimizer == "natural" else choice.steps),
            evaluate_every=10,
            identity={**medium.info.settings, "source": survey.name, "size": size},
            pool=pool,
        )
    medium.requires_grad_(False)
    medium.info = trained(medium.info, state)
    medium.info = medium.info.with_quality({"terms": state.terms, **medium_quality(medium, survey)})
    return medium


def velocity(field: Field, x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, " n"]:
    """Return c at points, relative to the surrounding medium, of a field of log c."""
    return np.asarray(np.exp(field.at(x)[:, 0]))


def medium_quality(field: Field, survey: Survey) -> dict[str, Any]:
    """Return the center of the deviation from a uniform medium, if there is one, and the error in a known medium."""
    square = Domain((-EVAL_EXTENT,) * 2, (EVAL_EXTENT,) * 2, ("y", "x"), ("m", "m"), (EVAL_EXTENT,) * 2)
    x = np.stack(np.meshgrid(*square.centers((CELLS, CELLS)), indexing="ij"), axis=-1).reshape(-1, 2)
    c = velocity(field, x)
    weight = np.square(c - 1)
    figures: dict[str, Any] = {"fastest": float(c.max())}
    if weight.any():
        figures["center"] = (weight @ x / weight.sum()).round(4).tolist()
    if survey.slowness is not None:
        reference = 1 / np.sqrt(survey.slowness(x))
        figures["relative_l2"] = float(np.linalg.norm(c - reference) / np.linalg.norm(reference))
    return figures


def _networks(survey: Survey, training: Training, optimizer: str) -> tuple[Field, Concat]:
    """Return the field of the medium, and the waves and the medium as one function to train."""
    domain, generator = plane(), Generator().manual_seed(training.seed)
    channels, k = 2 * len(survey.sources), survey.wavenumber
    waves = Siren(2, channels, WIDTH, DEPTH, omega_first=k, generator=generator).to(training.dtype)
    inside = Siren(2, 1, MEDIUM_WIDTH, 1, omega_first=MEDIUM_OMEGA, generator=generator).to(training.dtype)
    for network in (waves, inside):  # in a uniform medium nothing is scattered
        network.weights[-1].data.zero_()
        network.biases[-1].data.zero_()
    header = Header("array", domain, (CELLS, CELLS), (), "float64", (-1.0,), (1.0,))
    counts = {"sources": len(survey.sources), "receivers": len(survey.receivers)}
    settings = {"optimizer": optimizer, "seed": training.seed, **counts}
    parameters = sum(p.numel() for network in (waves, inside) for p in network.parameters())
    support = CompactSupport(MEDIUM_EXTENT, 0.0, MEDIUM_SCALE)
    medium = Field(inside, header, FitInfo(survey.name, "invert", settings, parameters), hard_constraint=support)
    medium = medium.to(training.device)
    medium.function.requires_grad_()
    function: Concat = Concat(OnDomain(waves, domain), medium.function).to(medium.middle.device)
    return medium, function
