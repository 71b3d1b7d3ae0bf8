"""Batches of a signal's samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from sinefield.errors import InputError
from sinefield.sampling.batch import Batch, Sampler
from sinefield.sampling.permutation import Indices, Permutation, PermutationSlice
from sinefield.signals import Signal

SINGLE = torch.empty(0, dtype=torch.float32)


def random_batches(
    signal: Signal,
    size: int | None,
    *,
    indices: Indices | None = None,
    seed: int = 0,
    like: Tensor = SINGLE,
) -> Sampler:
    """Mini-batches without replacement, in an order drawn anew for each pass over the samples.

    Args:
        signal: where the samples come from.
        size: samples in a batch; None, or as many as there are, for all of them in their order.
        indices: the (flat) samples to draw from; all of them unless given.
        seed: of the order.
        like: a tensor on the device and of the type that the targets get.
    """
    count = signal.size if indices is None else len(indices)
    if size is None or size >= count:
        everything = gather(signal, np.arange(count) if indices is None else indices[:], like)
        return lambda step: everything
    passes = count // size

    def batch(step: int) -> Batch:
        epoch, part = divmod(step, passes)
        drawn = Permutation(count, (seed, epoch))[part * size : (part + 1) * size]
        return gather(signal, drawn if indices is None else indices[drawn], like)

    return batch


def jittered(sampler: Sampler, axis: int, width: float, *, seed: int = 0) -> Sampler:
    """Points moved along an axis by up to half a width either way, at random and anew at each step."""

    def batch(step: int) -> Batch:
        drawn = sampler(step)
        moved = drawn.x.clone()
        random = np.random.default_rng((seed, step, 3, axis)).random(len(moved)) - 0.5
        moved[:, axis] += torch.from_numpy(width * random).to(moved)
        return drawn._replace(x=moved)

    return batch


def ordered_batches(
    signal: Signal,
    size: int,
    *,
    indices: Indices | None = None,
    like: Tensor = SINGLE,
) -> Iterator[Batch]:
    """All samples once, in their order, `size` at a time."""
    count = signal.size if indices is None else len(indices)
    for start in range(0, count, size):
        part = np.arange(start, min(start + size, count))
        yield gather(signal, part if indices is None else indices[part], like)


def gather(signal: Signal, index: Int64[np.ndarray, " n"], like: Tensor = SINGLE) -> Batch:
    """The samples with these flat indices, on the device and with targets of the type of `like`."""
    x, values = signal.at(index)
    target = (values - signal.header.middle) / signal.header.half_range
    return Batch(torch.from_numpy(x).to(like.device), torch.from_numpy(target).to(like))


def split_holdout(signal: Signal, holdout: float, seed: int) -> tuple[Indices | None, Indices | None]:
    """The samples to fit and a random share of them to keep out, as flat indices; None for all and for none.

    Raises:
        InputError: unless 0 ≤ holdout < 1, or if nothing is left on one side.
    """
    if not 0 <= holdout < 1:
        raise InputError(f"holdout must be a share of the samples, from 0 up to but not including 1; it is {holdout}")
    if holdout == 0:
        return None, None
    count = round(holdout * signal.size)
    if not 0 < count < signal.size:
        raise InputError(f"holdout {holdout} of {signal.size} samples leaves nothing to fit or to judge by")
    order = Permutation(signal.size, (seed, 0x5EED))
    return PermutationSlice(order, count, signal.size), PermutationSlice(order, 0, count)
