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
from sinefield.field.evaluate import evaluate_points
from sinefield.field.field import Field
from sinefield.metrics import psnr, ssim
from sinefield.networks import Network
from sinefield.parallel import WorkerPool
from sinefield.sampling.data import ordered_batches
from sinefield.sampling.permutation import Indices, Permutation
from sinefield.signals import Signal
from sinefield.training.loss import mean_square

CHUNK = 16_384
"""Samples whose errors are computed at once."""

EVAL_SAMPLES = 16_384
"""Samples that are evaluated during a training."""

MAX_FULL_SAMPLES = 2**22
"""Number of samples up to which all of them are evaluated at the end."""

FINAL_SAMPLES = 2**20
"""Samples that are evaluated at the end of a fit of more than that."""


def quality(
    field: Field, signal: Signal, fitted: Indices | None = None, held_out: Indices | None = None
) -> dict[str, Any]:
    """Return how closely a field fits the samples of a signal: `mse` and `psnr_db` on [-1, 1].

    A picture has its `ssim` as well, a video the PSNR of its frames, their mean and their standard deviation. Of more
    than four million samples the figures are estimated from `evaluated_samples`, one million of them.

    Args:
        field: Field to evaluate.
        signal: The signal that it was fitted to.
        fitted: Indices of the samples that were fitted; all of them by default.
        held_out: Indices of the samples that were held out, which add `psnr_holdout_db`.
    """
    header, complete = signal.header, signal.size <= MAX_FULL_SAMPLES
    errors: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    values = np.empty((signal.size if complete else 0, header.out_dim), np.float32)
    for indices in (fitted, held_out) if held_out is not None else (fitted,):
        subset = random_subset(signal, indices, 0, signal.size if complete else FINAL_SAMPLES)[:]
        estimates = np.concatenate(list(_estimates(field, signal, subset)))
        errors.append((subset, squared_errors(signal, subset, estimates)))
        if complete:
            values[subset] = estimates
    (subset, error), *others = errors
    figures: dict[str, Any] = {"mse": (mse := float(error.mean())), "psnr_db": psnr(mse)}
    if others:
        figures["psnr_holdout_db"] = psnr(float(others[0][1].mean()))
    if not complete:
        figures["evaluated_samples"] = len(subset)
    if header.kind == "video":
        figures |= _frame_quality(signal, subset, error)
    if header.kind == "image":
        figures["ssim"] = _image_ssim(signal, values) if complete else None
    return figures


def mean_squared_error(
    function: Network, signal: Signal, indices: Indices | None, like: Tensor, pool: WorkerPool
) -> float:
    """Return the mean squared error on [-1, 1] at samples, with values clipped to what the signal can represent."""
    batches = ordered_batches(signal, pool.max_chunk, indices=indices, like=like)
    return mean_square(function, clipped_difference if signal.header.clips else difference, batches, pool)


def variance(signal: Signal, indices: Indices) -> float:
    """Return the mean squared error on [-1, 1] of the best constant at samples."""
    _, values = signal.at(indices[:])
    return float((values / signal.header.half_range).var(axis=0).mean())


def checksum(signal: Signal) -> int:
    """Return a checksum of the coordinates and values of a signal, or of a million of them."""
    coords, values = signal.at(random_subset(signal, None, 0, FINAL_SAMPLES)[:])
    return zlib.crc32(np.ascontiguousarray(values).data, zlib.crc32(np.ascontiguousarray(coords).data))


def squared_errors(signal: Signal, indices: NDArray[np.int64], estimates: NDArray[Any]) -> NDArray[np.float64]:
    """Return the squared error on [-1, 1] at samples (n,), averaged over the channels, in chunks of bounded memory."""
    header, errors = signal.header, np.empty(len(indices))
    for start in range(0, len(indices), CHUNK):
        chunk = slice(start, start + CHUNK)
        estimate = estimates[chunk].clip(-1, 1) if header.clips else estimates[chunk]
        reference = (signal.at(indices[chunk])[1] - header.middle) / header.half_range
        errors[chunk] = np.square(estimate - reference).mean(axis=-1)
    return errors


def random_subset(signal: Signal, indices: Indices | None, seed: int, size: int = EVAL_SAMPLES) -> Indices:
    """Return a random subset of at most `size` samples."""
    count = signal.size if indices is None else len(indices)
    subset = Permutation(count, (seed, 0x700C))[:size] if count > size else np.arange(count)
    return subset if indices is None else indices[subset]


def _estimates(field: Field, signal: Signal, indices: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    """Yield the values of a field on [-1, 1] at samples, in consecutive chunks."""

    def points(at: NDArray[np.int64]) -> NDArray[np.float64]:
        return signal.at(indices[at])[0]

    return evaluate_points(field.function, points, len(indices), device=field.middle.device)


def _frame_quality(signal: Signal, indices: NDArray[np.int64], errors: NDArray[np.float64]) -> dict[str, Any]:
    """Return the PSNR of each frame of a video, their mean and their standard deviation, in dB."""
    frame = indices // math.prod(signal.header.shape[1:])
    count = np.bincount(frame)
    mses = np.bincount(frame, errors)[count > 0] / count[count > 0]
    frames = [round(psnr(float(mse)), 3) for mse in mses]
    return {
        "psnr_frames_db": frames,
        "psnr_mean_db": float(np.mean(frames)),
        "psnr_std_db": float(np.std(frames)),
    }


def _image_ssim(signal: Signal, values: NDArray[Any]) -> float | None:
    header = signal.header
    estimate = header.quantize(values * header.half_range + header.middle).reshape(signal.values.shape)
    return ssim(signal.values, estimate, float(2 * header.half_range.max()))
