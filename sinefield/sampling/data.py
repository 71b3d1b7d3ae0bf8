"""Samplers of the samples of a signal."""

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
"""Default of the `like` arguments: float32 on the CPU."""


def random_batches(
    signal: Signal,
    size: int | None,
    *,
    indices: Indices | None = None,
    seed: int = 0,
    like: Tensor = SINGLE,
) -> Sampler:
    """Sample mini-batches without replacement, in a new random order for each epoch.

    Args:
        signal: Signal to sample.
        size: Number of samples in a batch; None, or at least the number of samples, for all samples in their order.
        indices: Flat indices of the samples to draw from (default: all).
        seed: Seed of the random order.
        like: Tensor with the dtype of the targets and the device of the batch (default: float32 on the CPU).
    """
    count = signal.size if indices is None else len(indices)
    if size is None or size >= count:
        full_batch = gather(signal, np.arange(count) if indices is None else indices[:], like)
        return lambda step: full_batch
    batches_per_epoch = count // size

    def batch(step: int) -> Batch:
        epoch, part = divmod(step, batches_per_epoch)
        drawn = Permutation(count, (seed, epoch))[part * size : (part + 1) * size]
        return gather(signal, drawn if indices is None else indices[drawn], like)

    return batch


def jittered(sampler: Sampler, axis: int, width: float, *, seed: int = 0) -> Sampler:
    """Shift each point of a sampler along an axis by a random offset from U(-width/2, width/2), new at each step.

    Args:
        sampler: Sampler of the points.
        axis: Axis to shift along.
        width: Width of the interval of offsets, in the unit of the axis.
        seed: Seed of the random numbers.
    """

    def batch(step: int) -> Batch:
        drawn = sampler(step)
        x = drawn.x.clone()
        offset = np.random.default_rng((seed, step, 3, axis)).random(len(x)) - 0.5
        x[:, axis] += torch.from_numpy(width * offset).to(x)
        return drawn._replace(x=x)

    return batch


def ordered_batches(
    signal: Signal,
    size: int,
    *,
    indices: Indices | None = None,
    like: Tensor = SINGLE,
) -> Iterator[Batch]:
    """Yield all samples once, in their order.

    Args:
        signal: Signal to sample.
        size: Number of samples in a batch; the last batch may be smaller.
        indices: Flat indices of the samples to yield (default: all).
        like: Tensor with the dtype of the targets and the device of the batches (default: float32 on the CPU).
    """
    count = signal.size if indices is None else len(indices)
    for start in range(0, count, size):
        part = np.arange(start, min(start + size, count))
        yield gather(signal, part if indices is None else indices[part], like)


def gather(signal: Signal, index: Int64[np.ndarray, " n"], like: Tensor = SINGLE) -> Batch:
    """Return the samples with the given flat indices, with values scaled to [-1, 1] as targets.

    Args:
        signal: Signal to sample.
        index: Flat indices of the samples.
        like: Tensor with the dtype of the targets and the device of the batch (default: float32 on the CPU).
    """
    x, values = signal.at(index)
    target = (values - signal.header.middle) / signal.header.half_range
    return Batch(torch.from_numpy(x).to(like.device), torch.from_numpy(target).to(like))


def split_holdout(signal: Signal, holdout: float, seed: int) -> tuple[Indices | None, Indices | None]:
    """Split the samples at random into those to fit and those to hold out.

    Args:
        signal: Signal whose samples are split.
        holdout: Fraction of the samples to hold out, in [0, 1).
        seed: Seed of the random split.

    Returns:
        The flat indices of the samples to fit and of those held out; None and None for a fraction of 0, which fits all.

    Raises:
        InputError: If the fraction is not in [0, 1), or one of the two parts would be empty.
    """
    if not 0 <= holdout < 1:
        raise InputError(f"holdout must be a fraction of the samples, at least 0 and less than 1; it is {holdout}")
    if holdout == 0:
        return None, None
    count = round(holdout * signal.size)
    if not 0 < count < signal.size:
        raise InputError(
            f"holdout = {holdout} holds out {count} of {signal.size} samples; "
            "choose a fraction that leaves samples both to fit and to evaluate"
        )
    order = Permutation(signal.size, (seed, 0x5EED))
    return PermutationSlice(order, count, signal.size), PermutationSlice(order, 0, count)
