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
from sinefield.training.loop import Evaluation, iterate
from sinefield.training.recipes import Recipe, build_network, find_recipe
from sinefield.training.spec import NetworkSpec, Training
from sinefield.training.train_field import new_field, trained

MAX_NETWORKS = 32
"""Networks that are trained together; more would not stay in the cache of a core."""

MAX_SAMPLES = 2**17
"""Samples of all signals that are trained together, although a single signal may have more."""

EVALUATE_EVERY = 20
"""Steps between two evaluations."""


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
    dtype: torch.dtype = torch.float32,
) -> Generator[Field, None, None]:
    """Fit one field to each of many small signals, as `sinefield.fit` does with the recipe "small", many at once.

    Consecutive signals of the same shape are fitted together, one group on each core: their networks start with the
    same weights and see the same samples in each step, so that one matrix product serves all. Signals are read when
    they are needed, and fields are yielded when they are ready.

    Args:
        signals: Signals on grids.
        width: Units in a hidden layer (default 32).
        depth: Hidden layers after the first (default 2).
        omega: ω of the first layer (default 30).
        steps, psnr: When a group stops, whichever comes first; 200 steps by default, at most 2,000 if only a PSNR is
            given, which is that of the worst signal of the group.
        seed: Seed of weights and batches.
        device, dtype: As for `sinefield.fit`.

    Yields:
        The fields, in the order of the signals; `field.info.quality` has `mse` and `psnr_db` on [-1, 1].

    Raises:
        InputError: Scattered samples or shapes, or what `sinefield.fit` raises.

    >>> from sinefield import from_array
    >>> waves = [from_array(np.sin(np.linspace(0, k, 200))) for k in range(3, 9)]
    >>> all(field.info.quality["psnr_db"] > 30 for field in fit_many(waves, steps=100))
    True
    """
    training, cancelled = Training(steps, None, psnr, seed, device, dtype), threading.Event()
    spec = NetworkSpec("sine", width, depth, omega)

    def work(group: list[Signal], _: Any) -> list[Field]:
        return _fit_group(group, spec, training, cancelled)

    with WorkerPool(torch.device(training.device)) as pool:
        try:
            for fields in pool.map(work, _groups(signals)):
                yield from fields
        finally:  # a caller that needs no more fields does not wait for the groups in progress
            cancelled.set()


def _groups(signals: Iterable[Signal]) -> Iterator[list[Signal]]:
    for (shape, _), alike in groupby(signals, key=lambda signal: (signal.header.shape, signal.header.out_dim)):
        count = max(min(MAX_NETWORKS, MAX_SAMPLES // math.prod(shape)), 1)
        while group := list(islice(alike, count)):
            yield group


def _fit_group(signals: list[Signal], spec: NetworkSpec, training: Training, cancelled: threading.Event) -> list[Field]:
    """Return the fields of signals of one shape.

    Raises:
        KeyboardInterrupt: The group was cancelled.
    """
    first = signals[0]
    if any(signal.coords is not None or signal.header.kind == "shape" for signal in signals):
        raise InputError(f"{first.name} is not on a grid; use fit or fit_shape for each signal")
    plan = find_recipe("small", first)
    training = training.or_steps(plan.steps)
    network = build_network(spec, first, plan, training.seed).to(training.dtype)
    networks = StackedNetworks([network] * len(signals)).to(training.device)
    errors = _errors(networks, signals, plan)
    like = networks.weights[0]
    everything = random_batches(stack_signals(signals), None, like=like)(0)
    sampler = random_batches(stack_signals(signals), plan.batch_size(first.size), seed=training.seed, like=like)
    optimizer = plan.make_optimizer(networks)

    def advance(step: int) -> dict[str, float]:
        if cancelled.is_set():
            raise KeyboardInterrupt
        optimizer.zero_grad()
        each = errors(sampler(step), False)
        each.sum().backward()  # the networks are independent
        mean = each.mean().item()
        if math.isfinite(mean):
            optimizer.step()
        return {"data": mean}

    def evaluate() -> float:
        with torch.no_grad():
            each = errors(everything, first.header.clips)
        return float(each.max() if training.psnr is not None else each.mean())

    state = iterate(networks, optimizer, training, advance, Evaluation(evaluate, EVALUATE_EVERY, decibels=True))
    if state.stopped == "interrupted":  # a field of an unfinished group would never be finished
        raise KeyboardInterrupt
    with torch.no_grad():
        mses = errors(everything, first.header.clips).double().tolist()
    fields = []
    for index, (signal, mse) in enumerate(zip(signals, mses, strict=True)):
        settings = {"recipe": "small", "together": len(signals)}
        field = new_field(networks.network(index), signal, plan, training, "fit_many", settings)
        field.info = trained(field.info, state).with_quality({"mse": mse, "psnr_db": decibels(mse)})
        fields.append(field)
    return fields


def _errors(networks: StackedNetworks, signals: Sequence[Signal], plan: Recipe) -> Any:
    """Return a function from a batch to the mean squared error of each network (m,), with clipped values if asked."""
    header, like = signals[0].header, networks.weights[0]
    domain = plan.network_domain(header.domain, header.shape)
    center, half_extent = (
        torch.tensor(each, dtype=torch.float64, device=like.device) for each in (domain.center, domain.half_extent)
    )

    def errors(batch: Batch, clip: bool) -> Tensor:
        assert batch.target is not None
        x = ((batch.x.to(like.device) - center) / half_extent).to(like.dtype)
        reference = batch.target.unflatten(1, (len(signals), -1)).transpose(0, 1)
        values: Tensor = networks(x)
        error: Tensor = (values.clamp(-1, 1) if clip else values) - reference
        return error.square().mean(dim=(1, 2))

    return errors


def stack_signals(signals: Sequence[Signal]) -> Signal:
    """Return signals of one shape as one signal with the channels of all."""
    values = np.concatenate([signal.values.reshape(*signal.header.shape, -1) for signal in signals], axis=-1)
    header = signals[0].header
    channels = tuple(str(index) for index in range(values.shape[-1]))
    low, high = (sum((getattr(each.header, end) for each in signals), ()) for end in ("low", "high"))
    return Signal(values, replace(header, channels=channels, low=low, high=high), "stacked")
