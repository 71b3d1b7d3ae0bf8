"""Lower the weighted residuals: `minimise` is the loop, `fit` goes from a signal to a field by it."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sinefield.constraints.regression import regression
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.metrics import psnr as decibels
from sinefield.networks import NETWORKS, Perceptron
from sinefield.parallel import WorkerPool
from sinefield.sampling.data import random_batches, split_holdout
from sinefield.signals import Signal, from_array
from sinefield.training.checkpoint import State
from sinefield.training.device import available
from sinefield.training.loop import Progress, Stop
from sinefield.training.minimize import minimize
from sinefield.training.quality import _mean_square, _variance, checksum, quality, random_subset
from sinefield.training.recipes import Recipe, build, default_steps, recipe_for


def fit(
    signal: Signal | ArrayLike | Tensor,
    *,
    channel_axis: int | None = None,
    activation: str = "sine",
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    recipe: str = "default",
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
    progress: Progress | None = None,
) -> Field:
    """The continuous function that takes a signal's values at its samples.

    The weights that came closest are kept, not the last. Ctrl-C ends the fit with what it has reached.

    Args:
        signal: a `Signal`, or an array of any dimension whose samples sit at their indices.
        channel_axis: the axis of an array that holds channels, such as -1 for a colour picture.
        activation: of the network, a name in `sinefield.fields.NETWORKS`.
        width, depth: units in a hidden layer, hidden layers after the first; 256 and 3 unless given.
        omega: ω of the first layer; by the signal's spectrum and sampling rate unless given.
        recipe: "default", "natural" for measurements of something smooth, "small" for pictures of a thousand
            pixels, or "paper" for the official code's.
        steps, seconds, psnr: when to stop, whichever comes first; the recipe's number of steps if none is given,
            ten times as many at most if the quality alone is given.
        holdout: the share of the samples, drawn with the seed, that is kept out of the fit and judged apart.
        like: a field to start from, as the next take does from the last one; activation, width, depth and ω are its.
        seed: of weights, batches and the share that is held out.
        device, dtype: where and in which precision (torch.float32 or torch.float64).
        checkpoint: a folder to save the whole state in now and then.
        resume: go on from the state in that folder, if there is one.
        progress: called with the state after each step.

    Returns:
        The field; `field.made` says how it was made and the quality reached: mse and psnr_db on [-1, 1].

    Raises:
        InputError: what was handed in cannot be used; the message says what and why.

    >>> x = np.linspace(0, 6.28, 200)
    >>> field = fit(np.sin(x), width=32, depth=1, steps=200)
    >>> bool(abs(field([50.0]) - np.sin(x[50])) < 0.05)
    True
    """
    if not isinstance(signal, Signal):
        signal = from_array(signal, channel_axis=channel_axis)
    elif channel_axis is not None:
        raise InputError("channel_axis is for arrays; this signal names its channels itself")
    plan, header = recipe_for(recipe, signal, activation), signal.header
    if header.kind == "shape":
        raise InputError(f"{signal.name} is a shape, of which only the surface is known; take fit_shape")
    if dtype not in (torch.float32, torch.float64):
        raise InputError(f"dtype must be torch.float32 or torch.float64; it is {dtype}")
    if not 0 <= seed < 2**63:
        raise InputError(f"the seed must be from 0 to 2⁶³ - 1; it is {seed}")
    if resume and checkpoint is None:
        raise InputError("resume needs the checkpoint folder to go on from")
    if steps is None and seconds is None:
        steps = default_steps(plan, psnr)
    stop = Stop(steps, seconds, psnr)
    seen, unseen = split_holdout(signal, holdout, seed)
    if like is None:
        network = build(activation, signal, plan, width=width, depth=depth, omega=omega, seed=seed)
    else:
        network = copied(like.network, {"width": width, "depth": depth, "omega_first": omega})
        own = next(name for name, kind in NETWORKS.items() if type(network) is kind)
        if activation not in ("sine", own):
            raise InputError(f"the field that it starts from is of {own}; leave the activation {activation} out")
        activation = own
    made = {"recipe": recipe, "activation": activation, "seed": seed}
    made |= {} if like is None else {"like": like.made.get("source")}
    field = start(network.to(dtype), signal, plan, made, device)
    made, function, weight = field.made, field.function, network.weights[0]
    made |= {"holdout": holdout, **({"omega": omega} if (omega := getattr(network, "omega_first", None)) else {})}
    eval_indices, batch = random_subset(signal, seen, seed), plan.samples(signal.size)

    def evaluate() -> float:
        error = _mean_square(function, signal, eval_indices, weight, pool)
        near = psnr is not None and decibels(error) >= psnr
        return _mean_square(function, signal, seen, weight, pool) if near else error

    with WorkerPool(weight.device) as pool:
        state, stopped = minimize(
            function,
            regression(random_batches(signal, batch, indices=seen, seed=seed, like=weight)),
            plan.make_optimizer(field.network, activation),
            stop,
            evaluate=evaluate,
            constant=_variance(signal, eval_indices),
            # going forward is a third of a step's work, so that this is a thirtieth of the time
            evaluate_every=max(10, math.ceil(10 * len(eval_indices) / batch)),
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            identity={
                **network.config(),
                **{name: made[name] for name in ("recipe", "activation", "seed", "holdout")},
                "dtype": str(dtype),
                "shape": list(header.shape),
                "samples": signal.size,
                "samples' checksum": checksum(signal),
            },
            progress=progress,
            pool=pool,
        )
    finish(field, state, stopped)
    try:
        field.made |= quality(field, signal, seen, unseen)
    except KeyboardInterrupt:  # judging a large signal takes a while; what was fitted is not lost by it
        field.made |= {"stopped": "interrupted", "mse": state.best_mse, "psnr_db": state.psnr, "ssim": None}
    return field


def copied(network: Perceptron, given: dict[str, Any]) -> Perceptron:
    """A network of the same architecture with the same weights.

    Raises:
        InputError: an option that says something else.
    """
    has = network.config()
    for name, value in given.items():
        if value is not None and value != has.get(name):
            raise InputError(f"the field to start from has {name} = {has.get(name)}, not {value}; leave it out")
    return copy.deepcopy(network)


def start(network: Perceptron, signal: Signal, plan: Recipe, made: dict[str, Any], device: torch.device | str) -> Field:
    """The field of a network that is yet to be fitted to a signal, with its parameters free."""
    made = {"source": signal.name, **made, "parameters": sum(p.numel() for p in network.parameters())}
    place = plan.network_domain(signal.header.domain, signal.header.shape)
    field = Field(network, signal.header, made, place).to(available(device))
    field.function.requires_grad_()
    return field


def finish(field: Field, state: State, stopped: str) -> None:
    """Freeze a field that was fitted, and note down how that went."""
    field.requires_grad_(False)
    field.made |= {
        "stopped": stopped,
        "steps": state.step,
        "best_step": state.best_step,
        "seconds": round(state.seconds, 3),
        "history": state.history,
        "torch": torch.__version__,
    }
