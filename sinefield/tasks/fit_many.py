"""Many small signals at once."""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.metrics import psnr as decibels
from sinefield.networks import StackedNetworks
from sinefield.parallel import WorkerPool
from sinefield.sampling.batch import Batch
from sinefield.sampling.data import random_batches
from sinefield.signals import Signal
from sinefield.tasks.fit import finish, start
from sinefield.training.device import available
from sinefield.training.loop import Stop, iterate
from sinefield.training.recipes import build, recipe_for

AT_ONCE, SAMPLES = 32, 2**17
"""Networks that are stepped together, as more do not stay in a core's cache; and samples of all of them at most, though
one may have more."""


EVALUATE_EVERY = 20
"""Steps between two looks at the quality."""


def fit_many(
    signals: Iterable[Signal],
    *,
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    steps: int | None = None,
    psnr: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Generator[Field, None, None]:
    """One field for each of many small signals, as `fit` with the recipe "small" makes it, but many at once.

    Signals that follow one another and have the same shape are fitted together, a group on each core: their networks
    begin alike and see the same samples in each step, so that one product serves all. Signals are taken as they are
    needed, and fields are given as they are ready.

    Args:
        signals: on grids.
        width, depth, omega: of the networks; 32, 2 and 30 unless given.
        steps, psnr: when a group stops, whichever comes first; 200 steps if none is given, ten times as many at most if
            the quality alone is, which is that of the worst signal of the group.
        seed: of weights and batches.
        device: where.

    Yields:
        The fields, in the order of the signals; `made` has the quality, mse and psnr_db on [-1, 1].

    Raises:
        InputError: scattered samples or shapes, or what `fit` raises.

    >>> from sinefield import from_array
    >>> waves = [from_array(np.sin(np.linspace(0, k, 200))) for k in range(3, 9)]
    >>> all(field.made["psnr_db"] > 30 for field in fit_many(waves, steps=100))
    True
    """
    where, over = available(device), threading.Event()

    def work(group: list[Signal], _: Any) -> list[Field]:
        return _together(group, width, depth, omega, Stop(steps, None, psnr), seed, where, over)

    with WorkerPool(where) as pool:
        try:
            for fields in pool.map(work, _groups(signals)):
                yield from fields
        finally:  # who waits for no more fields need not wait for those under way
            over.set()


def _groups(signals: Iterable[Signal]) -> Iterator[list[Signal]]:
    for (shape, _), alike in groupby(signals, key=lambda signal: (signal.header.shape, signal.header.out_dim)):
        count = max(min(AT_ONCE, SAMPLES // math.prod(shape)), 1)
        while group := list(islice(alike, count)):
            yield group


def _together(
    signals: list[Signal],
    width: int | None,
    depth: int | None,
    omega: float | None,
    stop: Stop,
    seed: int,
    device: torch.device,
    over: threading.Event,
) -> list[Field]:
    """The fields of signals of one shape.

    Raises:
        KeyboardInterrupt: it is over before they are done.
    """
    first = signals[0]
    if any(signal.coords is not None or signal.header.kind == "shape" for signal in signals):
        raise InputError(f"{first.name} is not on a grid; take fit or fit_shape for each")
    plan = recipe_for("small", first, "sine")
    if stop.steps is None:
        stop = replace(stop, steps=plan.steps * (1 if stop.psnr is None else 10))
    network = build("sine", first, plan, width=width, depth=depth, omega=omega, seed=seed)
    many = StackedNetworks([network] * len(signals)).to(device)
    network_domain = plan.network_domain(first.header.domain, first.header.shape)
    center, half = (
        torch.tensor(each, dtype=torch.float64, device=device)
        for each in (network_domain.center, network_domain.half_extent)
    )
    everything = random_batches(stacked(signals), None, like=many.weights[0])(0)
    sampler = random_batches(stacked(signals), plan.samples(first.size), seed=seed, like=many.weights[0])

    def error(batch: Batch, clip: bool = False) -> Tensor:
        """The mean square of each network's error (m,); judged with values beyond what a signal can hold clipped."""
        assert batch.target is not None
        x = ((batch.x.to(device) - center) / half).to(many.weights[0].dtype)
        reference = batch.target.unflatten(1, (len(signals), -1)).transpose(0, 1)
        values: Tensor = many(x)
        off: Tensor = (values.clamp(-1, 1) if clip else values) - reference
        return off.square().mean(dim=(1, 2))

    optimizer = plan.make_optimizer(many, "sine")

    def advance(step: int) -> dict[str, float]:
        if over.is_set():
            raise KeyboardInterrupt
        optimizer.zero_grad()
        each = error(sampler(step))
        each.sum().backward()  # each goes its own way
        mean = each.mean().item()
        if math.isfinite(mean):
            optimizer.step()
        return {"data": mean}

    def evaluate() -> float:
        with torch.no_grad():
            each = error(everything, first.header.clips)
        return float(each.max() if stop.psnr is not None else each.mean())

    state, stopped = iterate(many, optimizer, stop, advance, evaluate, evaluate_every=EVALUATE_EVERY)
    if stopped == "interrupted":  # a field that is half done would stay so
        raise KeyboardInterrupt
    with torch.no_grad():
        reached = error(everything, first.header.clips).double().tolist()
    fields = []
    for index, (signal, mse) in enumerate(zip(signals, reached, strict=True)):
        field = start(
            many.network(index), signal, plan, {"recipe": "small", "activation": "sine", "seed": seed}, device
        )
        finish(field, state, stopped)
        field.made |= {"mse": mse, "psnr_db": decibels(mse), "together": len(signals)}
        fields.append(field)
    return fields


def stacked(signals: Sequence[Signal]) -> Signal:
    """Signals of one shape as one with the channels of all."""
    values = np.concatenate([signal.values.reshape(*signal.header.shape, -1) for signal in signals], axis=-1)
    header = signals[0].header
    channels = tuple(str(index) for index in range(values.shape[-1]))
    low, high = (sum((getattr(each.header, end) for each in signals), ()) for end in ("low", "high"))
    return Signal(values, replace(header, channels=channels, low=low, high=high), "stacked")
