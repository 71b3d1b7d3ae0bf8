"""Lower the weighted residuals: `minimise` is the loop, `fit` goes from a signal to a field by it."""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.optim import LBFGS, Optimizer

from sinefield.constraints import Constraint
from sinefield.crew import Crew
from sinefield.errors import InputError
from sinefield.field import Field
from sinefield.fields import NETWORKS, Network, Perceptron
from sinefield.loop import Progress, Stop, iterate
from sinefield.loss import add_gradient, mean_square, total
from sinefield.metrics import psnr as decibels
from sinefield.metrics import ssim
from sinefield.natural import Natural
from sinefield.problems.regression import clipped_difference, difference, regression
from sinefield.recipes import Recipe, build, default_steps, recipe_for
from sinefield.render import VALUE, sample
from sinefield.samplers import Indices, Shuffled, pieces, shuffled, split
from sinefield.signals import Signal, from_array
from sinefield.state import State

CHUNK = 16_384
"""Samples that are judged at once."""

JUDGED_BY, ALL, JUDGED_IN_END = 16_384, 2**22, 2**20
"""Samples by which the quality on the way is judged; at the end it is by all, where these are no more than the second
number, else by the third."""


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
    seen, unseen = split(signal, holdout, seed)
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
    few, batch = spread(signal, seen, seed), plan.samples(signal.size)

    def judge() -> float:
        error = _mean_square(function, signal, few, weight, crew)
        near = psnr is not None and decibels(error) >= psnr
        return _mean_square(function, signal, seen, weight, crew) if near else error

    with Crew(weight.device) as crew:
        state, stopped = minimise(
            function,
            regression(shuffled(signal, batch, indices=seen, seed=seed, like=weight)),
            plan.optimise(field.network, activation),
            stop,
            judge=judge,
            constant=_variance(signal, few),
            # going forward is a third of a step's work, so that this is a thirtieth of the time
            judge_every=max(10, math.ceil(10 * len(few) / batch)),
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
            crew=crew,
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
    place = plan.place(signal.header.domain, signal.header.shape)
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


def minimise(
    function: Network,
    constraints: Sequence[Constraint],
    optimiser: Optimizer,
    stop: Stop,
    *,
    judge: Callable[[], float] | None = None,
    judge_every: int = 100,
    constant: float | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    identity: dict[str, Any] | None = None,
    progress: Progress | None = None,
    crew: Crew | None = None,
) -> tuple[State, str]:
    """Lower Σₘ wₘ · mean |Cₘ|² over the function's parameters, and leave the best ones in it.

    Args:
        function: what is fitted.
        constraints: the terms of the loss.
        optimiser: over the function's parameters.
        stop: when to end.
        judge: the error by which weights are compared, the smaller the better; the loss on the batches of the first
            step unless given.
        crew: who does the work; one of its own unless given.
        judge_every, constant, checkpoint, resume, identity, progress: as for `sinefield.loop.iterate`.

    Returns:
        The final state, and why it ended: "steps", "seconds", "psnr", "interrupted" or "diverged".
    """
    with Crew(next(function.parameters()).device) if crew is None else nullcontext(crew) as workers:
        return iterate(
            function,
            optimiser,
            stop,
            lambda step: descend(function, constraints, optimiser, step, workers),
            judge or (lambda: total(function, constraints, 0, workers)),
            judge_every=judge_every,
            constant=constant,
            checkpoint=checkpoint,
            resume=resume,
            identity=identity,
            progress=progress,
        )


def descend(
    function: Network, constraints: Sequence[Constraint], optimiser: Optimizer, step: int, crew: Crew
) -> dict[str, float]:
    """One step of an optimiser, unless the loss is NaN; returns its terms before the step, by name."""
    if isinstance(optimiser, Natural):
        with crew.together():
            return optimiser.descend(function, constraints, step)
    if isinstance(optimiser, LBFGS):
        return _descend_by_closure(function, constraints, optimiser, step, crew)
    optimiser.zero_grad()
    terms = add_gradient(function, constraints, step, crew)
    if math.isfinite(sum(terms.values())):
        optimiser.step()
    return terms


def _descend_by_closure(
    function: Network, constraints: Sequence[Constraint], optimiser: LBFGS, step: int, crew: Crew
) -> dict[str, float]:
    """As many iterations on the batches of one step as the optimiser takes; between steps these should not change."""
    first: dict[str, float] = {}

    def closure() -> float:
        optimiser.zero_grad()
        terms = add_gradient(function, constraints, step, crew)
        first.update({} if first else terms)
        return sum(terms.values())

    optimiser.step(closure)
    return first


def available(device: torch.device | str) -> torch.device:
    """The device, if this machine and this PyTorch have it.

    Raises:
        InputError: they do not.
    """
    try:
        probe = torch.zeros(1, device=device)
        probe.item()  # a device without memory, such as meta, fails here
        return probe.device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the device {str(device)!r} is not available here ({reason}); use cpu") from error


def _mean_square(function: Network, signal: Signal, indices: Indices | None, like: Tensor, crew: Crew) -> float:
    """The mean squared error on [-1, 1] at some samples, with values beyond what the signal can hold clipped."""
    batches = pieces(signal, crew.most, indices=indices, like=like)
    return mean_square(function, clipped_difference if signal.header.clips else difference, batches, crew)


def _variance(signal: Signal, indices: Indices) -> float:
    """The mean squared error on [-1, 1] of the best constant at some samples."""
    _, values = signal.at(indices[:])
    return float((values / signal.header.half_range).var(axis=0).mean())


def checksum(signal: Signal) -> int:
    """Of a signal's samples and where they lie, or of a million of them."""
    places, values = signal.at(spread(signal, None, 0, JUDGED_IN_END)[:])
    return zlib.crc32(np.ascontiguousarray(values).data, zlib.crc32(np.ascontiguousarray(places).data))


def quality(field: Field, signal: Signal, seen: Indices | None = None, unseen: Indices | None = None) -> dict[str, Any]:
    """How close a field comes to a signal's samples: mse and psnr_db on [-1, 1].

    A picture has its ssim beside it, a video the mean and the deviation of its frames' psnr_db.

    Args:
        seen: the samples that were fitted; all of them unless given.
        unseen: those that were held out, which add `psnr_unseen_db`.

    Of more than four million samples it is estimated by one million of them, `judged_by`.
    """
    header, whole = signal.header, signal.size <= ALL
    errors: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    values = np.empty((signal.size if whole else 0, header.out_dim), np.float32)
    for indices in (seen, unseen) if unseen is not None else (seen,):
        some = spread(signal, indices, 0, signal.size if whole else JUDGED_IN_END)[:]
        fitted = np.concatenate(list(_at(field, signal, some)))
        errors.append((some, _errors(signal, some, fitted)))
        if whole:
            values[some] = fitted
    (which, error), *rest = errors
    found: dict[str, Any] = {"mse": (mse := float(error.mean())), "psnr_db": decibels(mse)}
    if rest:
        found["psnr_unseen_db"] = decibels(float(rest[0][1].mean()))
    if not whole:
        found["judged_by"] = len(which)
    if header.kind == "video":
        frame = which // math.prod(header.shape[1:])
        count = np.bincount(frame)
        each = np.bincount(frame, error)[count > 0] / count[count > 0]
        found |= {"psnr_frames_db": [round(decibels(float(mse)), 3) for mse in each]}
        found |= {f"psnr_{name}_db": float(getattr(np, name)(found["psnr_frames_db"])) for name in ("mean", "std")}
    if header.kind == "image":
        estimate = (
            header.quantise(values * header.half_range + header.middle).reshape(signal.values.shape) if whole else None
        )
        found["ssim"] = None if estimate is None else ssim(signal.values, estimate, float(2 * header.half_range.max()))
    return found


def _at(field: Field, signal: Signal, indices: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    """The function of a field at some samples, in consecutive pieces."""

    def points(at: NDArray[np.int64]) -> NDArray[np.float64]:
        return signal.at(indices[at])[0]

    return sample(field.function, points, len(indices), VALUE, device=field.middle.device)


def _errors(signal: Signal, indices: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.float64]:
    """The squared error on [-1, 1] of the values at some samples, over their channels; in bounded pieces."""
    header, found = signal.header, np.empty(len(indices))
    for start in range(0, len(indices), CHUNK):
        piece = slice(start, start + CHUNK)
        value = values[piece].clip(-1, 1) if header.clips else values[piece]
        truth = (signal.at(indices[piece])[1] - header.middle) / header.half_range
        found[piece] = np.square(value - truth).mean(axis=-1)
    return found


def spread(signal: Signal, indices: Indices | None, seed: int, most: int = JUDGED_BY) -> Indices:
    """A random part of the samples of at most so many."""
    count = signal.size if indices is None else len(indices)
    few = Shuffled(count, (seed, 0x700C))[:most] if count > most else np.arange(count)
    return few if indices is None else indices[few]
