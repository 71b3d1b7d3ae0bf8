"""From a signal to a field."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sinefield.constraints.regression import regression
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.metrics import psnr as decibels
from sinefield.parallel import WorkerPool
from sinefield.progress import ProgressCallback
from sinefield.sampling.data import random_batches, split_holdout
from sinefield.signals import Signal, from_array
from sinefield.training.loop import Evaluation
from sinefield.training.optimizers.choices import repeat_batches
from sinefield.training.quality import checksum, mean_squared_error, quality, random_subset, variance
from sinefield.training.recipes import build_network, find_recipe
from sinefield.training.spec import NetworkSpec, Training
from sinefield.training.train_field import copy_network, new_field, train_field


def fit(
    signal: Signal | ArrayLike | Tensor,
    *,
    channel_axis: int | None = None,
    activation: str = "sine",
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    recipe: str = "default",
    optimizer: str | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    psnr: float | None = None,
    holdout: float = 0.0,
    like: Field | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: ProgressCallback | None = None,
) -> Field:
    """Fit a continuous function to the samples of a signal.

    The weights with the smallest error are kept, not the last ones. Ctrl-C ends the fit and returns the best field so
    far.

    Args:
        signal: A `Signal`, or an array of any dimension whose samples lie at their indices.
        channel_axis: Axis of an array that holds channels, such as -1 for a color picture.
        activation: Activation of the network, a name in `sinefield.networks.ACTIVATIONS`.
        width: Units in a hidden layer (default 256).
        depth: Hidden layers after the first (default 3).
        omega: ω of the first layer; by default from the spectrum and the sampling rate of the signal.
        recipe: "default"; "natural" for measurements of something smooth; "small" for pictures of about a thousand
            pixels; "paper" for the settings of the official code.
        optimizer: "soap", "adam", "natural" or "lbfgs"; that of the recipe by default.
        steps, seconds, psnr: Stop at the given number of steps, time in seconds or PSNR in dB, whichever comes first.
            By default the recipe sets the number of steps; if only a PSNR is given, ten times as many are the limit.
        holdout: Share of the samples, drawn with the seed, that is excluded from the fit and evaluated separately.
        like: A field whose weights are the start; activation, width, depth and ω are then those of this field.
        seed: Seed of weights, batches and the held-out samples.
        device: Where to train.
        dtype: torch.float32 or torch.float64.
        checkpoint: Directory for periodic checkpoints.
        resume: Continue from the state in that directory, if there is one.
        progress: Called after each step with a `sinefield.progress.Progress`.

    Returns:
        The field. `field.info` says how it was made, and `field.info.quality` has `mse` and `psnr_db` on [-1, 1].

    Raises:
        InputError: An argument cannot be used; the message says which one and why.

    >>> import numpy as np
    >>> x = np.linspace(0, 6.28, 200)
    >>> field = fit(np.sin(x), width=32, depth=1, steps=200)
    >>> bool(abs(field([50.0]) - np.sin(x[50])) < 0.05)
    True
    """
    if not isinstance(signal, Signal):
        signal = from_array(signal, channel_axis=channel_axis)
    elif channel_axis is not None:
        raise InputError("channel_axis applies to arrays; this signal names its channels")
    spec = NetworkSpec(activation, width, depth, omega)
    training = Training(steps, seconds, psnr, seed, device, dtype, checkpoint, resume, progress)
    return fit_signal(signal, spec, training, recipe, optimizer, holdout, like)


def fit_signal(
    signal: Signal,
    spec: NetworkSpec,
    training: Training,
    recipe: str = "default",
    optimizer: str | None = None,
    holdout: float = 0.0,
    like: Field | None = None,
) -> Field:
    """Do what `fit` does, with the network and the training as objects."""
    plan = find_recipe(recipe, signal, spec.activation if like is None else like.network.name, optimizer)
    if signal.header.kind == "shape":
        raise InputError(f"{signal.name} is a shape, of which only the surface is known; use fit_shape")
    training = training.or_steps(plan.steps)
    fitted, held_out = split_holdout(signal, holdout, training.seed)
    network = build_network(spec, signal, plan, training.seed) if like is None else copy_network(like.network, spec)
    settings = {"recipe": recipe, "holdout": holdout}
    settings |= {} if optimizer is None else {"optimizer": optimizer}
    settings |= {} if like is None else {"like": like.info.source}
    settings |= {"omega": network.config()["omega_first"]} if network.has_omega() else {}
    field = new_field(network, signal, plan, training, "fit", settings)
    function, weight, seed = field.function, field.network.weights[0], training.seed
    eval_indices, batch = random_subset(signal, fitted, seed), plan.batch_size(signal.size)
    constraints = regression(random_batches(signal, batch, indices=fitted, seed=seed, like=weight))

    def error() -> float:
        estimate = mean_squared_error(function, signal, eval_indices, weight, pool)
        reached = training.psnr is not None and decibels(estimate) >= training.psnr
        return mean_squared_error(function, signal, fitted, weight, pool) if reached else estimate

    # a forward pass is a third of the work of a step, so this takes a thirtieth of the time
    every = max(10, math.ceil(10 * len(eval_indices) / batch))
    with WorkerPool(weight.device) as pool:
        state = train_field(
            field,
            repeat_batches(constraints, plan.optimizer),
            plan.make_optimizer(field.network),
            training,
            Evaluation(error, every, variance(signal, eval_indices), decibels=True),
            identity={"shape": list(signal.header.shape), "samples": signal.size, "checksum": checksum(signal)},
            pool=pool,
        )
    try:
        field.info = field.info.with_quality(quality(field, signal, fitted, held_out))
    except KeyboardInterrupt:  # the evaluation of a large signal takes a while; the fitted field is kept
        figures = {"mse": state.best_error, "psnr_db": state.psnr, "ssim": None}
        field.info = field.info.with_quality(figures).interrupted()
    return field
