"""How closely a field fits a signal."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sinefield.constraints.regression import clipped_difference, difference
from sinefield.field.evaluate import VALUE, sample
from sinefield.field.field import Field
from sinefield.metrics import psnr as decibels
from sinefield.metrics import ssim
from sinefield.networks import Network
from sinefield.parallel import WorkerPool
from sinefield.sampling.data import ordered_batches
from sinefield.sampling.permutation import Indices, Permutation
from sinefield.signals import Signal
from sinefield.training.loss import mean_square

CHUNK = 16_384
"""Samples that are judged at once."""


JUDGED_BY, ALL, JUDGED_IN_END = 16_384, 2**22, 2**20
"""Samples by which the quality on the way is judged; at the end it is by all, where these are no more than the second
number, else by the third."""


def _mean_square(function: Network, signal: Signal, indices: Indices | None, like: Tensor, pool: WorkerPool) -> float:
    """The mean squared error on [-1, 1] at some samples, with values beyond what the signal can hold clipped."""
    batches = ordered_batches(signal, pool.max_chunk, indices=indices, like=like)
    return mean_square(function, clipped_difference if signal.header.clips else difference, batches, pool)


def _variance(signal: Signal, indices: Indices) -> float:
    """The mean squared error on [-1, 1] of the best constant at some samples."""
    _, values = signal.at(indices[:])
    return float((values / signal.header.half_range).var(axis=0).mean())


def checksum(signal: Signal) -> int:
    """Of a signal's samples and where they lie, or of a million of them."""
    coords, values = signal.at(random_subset(signal, None, 0, JUDGED_IN_END)[:])
    return zlib.crc32(np.ascontiguousarray(values).data, zlib.crc32(np.ascontiguousarray(coords).data))


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
        some = random_subset(signal, indices, 0, signal.size if whole else JUDGED_IN_END)[:]
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
            header.quantize(values * header.half_range + header.middle).reshape(signal.values.shape) if whole else None
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
        reference = (signal.at(indices[piece])[1] - header.middle) / header.half_range
        found[piece] = np.square(value - reference).mean(axis=-1)
    return found


def random_subset(signal: Signal, indices: Indices | None, seed: int, most: int = JUDGED_BY) -> Indices:
    """A random part of the samples of at most so many."""
    count = signal.size if indices is None else len(indices)
    eval_indices = Permutation(count, (seed, 0x700C))[:most] if count > most else np.arange(count)
    return eval_indices if indices is None else indices[eval_indices]
