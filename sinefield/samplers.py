"""Signal → batches of points: where a constraint is evaluated, and what it should give there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from sinefield.errors import InputError
from sinefield.signals import Signal


class Batch(NamedTuple):
    """Points and what is known there.

    Attributes:
        x: coordinates in the user's units (n, d); float64, so that a time stamp keeps its digits.
        target: what the field should give (n, c), with the signal's value range mapped to [-1, 1].
        weight: how much each point counts (n, 1); None where all count the same.
    """

    x: Float[Tensor, "n d"]
    target: Float[Tensor, "n c"]
    weight: Float[Tensor, "n 1"] | None = None


Sampler = Callable[[int], Batch]
"""A function of the step alone, so that work that was cut off goes on with the same batches."""

SINGLE = torch.empty(0, dtype=torch.float32)

Indices = Int64[np.ndarray, " _"]


def shuffled(
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
    count = signal.header.size if indices is None else len(indices)
    if size is None or size >= count:
        everything = np.arange(count) if indices is None else indices
        return lambda step: take(signal, everything, like)
    passes = count // size

    @lru_cache(maxsize=1)
    def order(epoch: int) -> Indices:
        shuffled_indices = np.random.default_rng((seed, epoch)).permutation(count)
        return shuffled_indices if indices is None else indices[shuffled_indices]

    def batch(step: int) -> Batch:
        epoch, part = divmod(step, passes)
        return take(signal, order(epoch)[part * size : (part + 1) * size], like)

    return batch


def pieces(
    signal: Signal,
    size: int,
    *,
    indices: Indices | None = None,
    like: Tensor = SINGLE,
) -> Iterator[Batch]:
    """All samples once, in their order, `size` at a time."""
    count = signal.header.size if indices is None else len(indices)
    for start in range(0, count, size):
        part = np.arange(start, min(start + size, count))
        yield take(signal, part if indices is None else indices[part], like)


def take(signal: Signal, index: Indices, like: Tensor = SINGLE) -> Batch:
    """The samples with these flat indices, on the device and with targets of the type of `like`."""
    header = signal.header
    position = np.stack(np.unravel_index(index, header.shape), axis=-1)
    x = np.asarray(header.domain.lower) + (position + 0.5) * np.asarray(header.step)
    values = signal.values.reshape(-1, header.out_dim)[index]
    target = (values - header.middle) / header.half_range
    return Batch(torch.from_numpy(x).to(like.device), torch.from_numpy(target).to(like))


def split(signal: Signal, holdout: float, seed: int) -> tuple[Indices | None, Indices | None]:
    """The samples to fit and a random share of them to keep out, as flat indices; None for all and for none.

    Raises:
        InputError: unless 0 ≤ holdout < 1, or if nothing is left on one side.
    """
    if not 0 <= holdout < 1:
        raise InputError(f"holdout must be a share of the samples, from 0 up to but not including 1; it is {holdout}")
    if holdout == 0:
        return None, None
    count = round(holdout * signal.header.size)
    if not 0 < count < signal.header.size:
        raise InputError(f"holdout {holdout} of {signal.header.size} samples leaves nothing to fit or to judge by")
    order = np.random.default_rng((seed, 0x5EED)).permutation(signal.header.size)
    return np.sort(order[count:]), np.sort(order[:count])
