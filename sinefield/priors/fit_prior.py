"""Learning of a prior from a data set of pictures."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.field.info import FitInfo
from sinefield.networks import ENCODERS
from sinefield.networks.layers import Affine, through
from sinefield.priors.data import ImageDataset, pixel_values, random_contexts
from sinefield.priors.evaluate import inpainting_errors
from sinefield.priors.meta_learning import fit_from_start
from sinefield.priors.prior import (
    LATENT_WEIGHT,
    NETWORK_WEIGHT,
    PAPER_SIZES,
    REFINE_STEPS,
    Prior,
    PriorConfig,
    pixel_grid,
)
from sinefield.progress import ProgressCallback
from sinefield.training.loop import Evaluation, iterate
from sinefield.training.optimizers.soap import Soap
from sinefield.training.spec import Training
from sinefield.training.train_field import trained

STEPS = 20_000
"""Number of steps if neither steps nor seconds are given."""

LEARNING_RATE = 5e-4
"""Largest learning rate of SOAP."""

DECAY_START = 6000
"""Step at which the learning rate begins to decay."""

MAX_SIDE = 300
"""Longest side of a matrix that gets an eigenbasis; the largest matrices of a hypernetwork are too long for one."""

BATCH = 32
"""Pictures in a batch."""

MIN_CONTEXT = 10
"""Smallest number of pixels that the encoder sees of a picture."""

MAX_CONTEXT = 200
"""Largest number of pixels that the encoder sees of a picture in most steps."""

FULL_CONTEXT_INTERVAL = 8
"""Steps between two steps in which the encoder may see all pixels of a picture."""

EVAL_PICTURES = 256
"""Held-out pictures that are evaluated during the training."""

EVAL_CONTEXT = 100
"""Observed pixels of each of these pictures."""

EVALUATE_EVERY = 250
"""Steps between two evaluations."""

CODE_PICTURES = 4096
"""Pictures from which the mean and the covariance of the codes are computed."""

CODE_CHUNK = 256
"""Pictures that are encoded at once."""

NOISE_PICTURES = 32
"""Pictures from which the error of the reconstruction is computed."""

NOISE_PIXELS = 1024
"""Pixels of each of these pictures."""

Log = Callable[[Prior, int, dict[str, float]], None]
"""A function of the prior, the step, and the errors and terms of the loss by name, called at each evaluation."""


def fit_prior(
    dataset: ImageDataset,
    config: PriorConfig | None = None,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    batch: int = BATCH,
    pixels: int | None = None,
    learning_rate: float = LEARNING_RATE,
    holdout: float = 0.1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    log: Log | None = None,
) -> Prior:
    """Learn a prior from a data set of pictures.

    Minimizes the mean of |Φ(x) - f(x)|² + 0.1 mean |z|² + w |θ|² over the pictures f, where z is the code and θ are the
    generated weights. For the sizes of the paper, w |θ|² = 100 mean |θ|²; w is the same for all sizes.

    In each step the encoder sees from 10 to 200 random pixels of each picture, in every eighth step up to all of them,
    and half of the pictures are mirrored. Of the weights, those with the smallest error on held-out pictures are kept;
    they are completed from 100 random pixels. Ctrl-C ends the training and returns the best prior so far.

    Args:
        dataset: Pictures to learn from.
        config: Sizes and architecture, with the size and channels of the data set; by default `default_config`.
        steps, seconds: When to stop, whichever comes first (default 20,000 steps).
        batch: Number of pictures in a batch.
        pixels: Number of pixels of each picture in the loss of a step (default: a quarter of them).
        learning_rate: Largest learning rate.
        holdout: Share of the pictures, drawn with the seed, that is excluded from the training and evaluated.
        seed: Seed of weights, batches and the held-out pictures.
        device: Where to train.
        checkpoint, resume, progress: As for `sinefield.fit`.
        log: Called at each evaluation.

    Returns:
        The prior. `prior.info` says how it was learned; `prior.info.quality["mse_holdout"]` is the mean squared error
        on [-1, 1] of the held-out pictures.

    Raises:
        InputError: The configuration does not fit the data set, `holdout` leaves no pictures on one side, or another
            argument is out of range.

    Source: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", NeurIPS 2020,
    section 4.4.
    """
    config = config or default_config(dataset.size, dataset.channels)
    _check_arguments(dataset, config, batch, pixels, learning_rate)
    training = Training(
        steps, seconds, seed=seed, device=device, checkpoint=checkpoint, resume=resume, progress=progress
    ).or_steps(STEPS)
    pixels = min(pixels or max(dataset.size**2 // 4, 1), dataset.size**2)
    train, kept = split_pictures(len(dataset), holdout, seed)
    settings = {"pictures": len(dataset), "checksum": _checksum(dataset), "holdout": holdout, "seed": seed}
    settings |= {"batch": batch, "pixels": pixels, "learning_rate": learning_rate}
    prior = Prior(config, FitInfo(task="fit_prior", settings=settings), seed).to(training.device)
    if config.encoder == "none":
        prior.codes = nn.Parameter(torch.zeros(len(train), config.latent, device=prior.middle.device))
    optimizer = Soap(prior.parameters(), learning_rate, DECAY_START, MAX_SIDE)
    add_gradient = _add_reptile_gradient if config.encoder == "meta" else _add_loss_gradient
    terms, last_step = dict[str, float](), 0

    def advance(step: int) -> dict[str, float]:
        nonlocal terms, last_step
        last_step = step + 1
        optimizer.zero_grad()
        drawn = _draw_batch(dataset, train, batch, pixels, config, (seed, step)).to(prior.middle.device)
        terms = add_gradient(prior, drawn)
        if math.isfinite(sum(terms.values())):
            optimizer.step()
        return terms

    def evaluate() -> float:
        if prior.codes is not None:  # the codes of held-out pictures are optimized under the distribution of these
            _set_distribution(prior, prior.codes)
        count = min(EVAL_CONTEXT, dataset.size**2)
        error = float(np.mean(inpainting_errors(prior, dataset, kept[:EVAL_PICTURES], count, seed=seed)))
        if log is not None:
            log(prior, last_step, {"held out": error, **terms})
        return error

    identity = asdict(config) | settings
    state = iterate(prior, optimizer, training, advance, Evaluation(evaluate, EVALUATE_EVERY), identity)
    prior.requires_grad_(False)
    info = trained(prior.info, state).with_quality({"mse_holdout": state.best_error})
    if config.encoder != "meta":
        try:
            _measure_codes(prior, dataset, train, seed)
        except KeyboardInterrupt:  # the trained weights are kept
            info = info.interrupted()
    prior.info = replace(info, parameters=sum(p.numel() for p in prior.parameters()))
    return prior


def default_config(size: int, channels: int = 1, recipe: str = "default", **given: Any) -> PriorConfig:
    """Return the configuration of a prior for pictures of a size.

    Args:
        size: Pixels along each side of a picture.
        channels: Number of channels, 1 or 3.
        recipe: "default", whose encoder halves the grid until at most 7 cells remain along a side, or "paper" for the
            sizes of the paper.
        given: Attributes of `PriorConfig` that replace those of the recipe.

    Raises:
        InputError: The recipe is unknown, or what `PriorConfig` raises.
    """
    if recipe not in ("default", "paper"):
        raise InputError(f"unknown recipe {recipe!r}; choose from default, paper")
    halvings = 1
    while -(-size // 2**halvings) > 7:
        halvings += 1
    chosen = PAPER_SIZES if recipe == "paper" else {"halvings": halvings}
    return PriorConfig(size, channels, **{**chosen, **given})


def split_pictures(count: int, holdout: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the indices of pictures at random into those of the training and those that are held out.

    Args:
        count: Number of pictures.
        holdout: Share of the pictures that is held out.
        seed: Seed of the split.

    Returns:
        The indices of the training pictures, sorted, and those of the held-out pictures, in random order.

    Raises:
        InputError: The share leaves no picture on one side.
    """
    if not 0 < holdout < 1 or not 0 < (kept := round(holdout * count)) < count:
        raise InputError(
            f"holdout = {holdout} of {count} pictures must leave at least one picture held out and one not"
        )
    order = np.random.default_rng((seed, 0xFACE)).permutation(count)
    return np.sort(order[kept:]), order[:kept]


def held_out(prior: Prior, dataset: ImageDataset) -> NDArray[np.int64]:
    """Return the indices of the pictures of a data set that were held out when a prior was learned from it.

    If the prior was learned from another data set, these are all pictures.
    """
    settings = prior.info.settings
    if settings.get("checksum") != _checksum(dataset):
        return np.arange(len(dataset))
    return split_pictures(len(dataset), settings["holdout"], settings["seed"])[1]


class _Batch(NamedTuple):
    """A batch of b pictures.

    Attributes:
        indices: Indices of the training pictures, shape (b,).
        context, context_values: Coordinates (b, k, 2) and values (b, k, c) of the pixels that the encoder sees.
        coords, reference: Coordinates (n, 2) and values (b, n, c) of the pixels in the loss.
    """

    indices: Tensor
    context: Tensor
    context_values: Tensor
    coords: Tensor
    reference: Tensor

    def to(self, device: torch.device) -> _Batch:
        return _Batch(*(each.to(device) for each in self))


def _check_arguments(
    dataset: ImageDataset, config: PriorConfig, batch: int, pixels: int | None, learning_rate: float
) -> None:
    if (config.size, config.channels) != (dataset.size, dataset.channels):
        raise InputError(
            f"the configuration is for pictures of {config.size} pixels and {config.channels} channels; those of the "
            f"data set have {dataset.size} pixels and {dataset.channels} channels"
        )
    if batch < 1 or (pixels is not None and pixels < 1):
        raise InputError(f"batch and pixels must be at least 1; they are {batch} and {pixels}")
    if not 0 < learning_rate < math.inf:
        raise InputError(f"the learning rate must be a positive number; it is {learning_rate}")


def _draw_batch(
    dataset: ImageDataset, train: NDArray[np.int64], batch: int, pixels: int, config: PriorConfig, seed: tuple[int, int]
) -> _Batch:
    """Draw the batch of a step; the seed consists of that of the training and the step."""
    random, x = np.random.default_rng(seed), pixel_grid(dataset.size)
    indices = random.integers(len(train), size=batch)
    pictures = pixel_values(dataset, train[indices])
    if config.encoder in ENCODERS:  # without an encoder each picture has a code, which does not suit its mirror image
        mirrored = random.random(batch) < 0.5
        rows = pictures.unflatten(1, (dataset.size, dataset.size))
        rows[mirrored] = rows[mirrored].flip(2)
        pictures = rows.flatten(1, 2)
    limit = min(MAX_CONTEXT, len(x)) if seed[1] % FULL_CONTEXT_INTERVAL else len(x)
    count = int(random.integers(min(MIN_CONTEXT, limit), limit + 1))
    seen = random_contexts(batch, len(x), count, (*seed, 1))
    fitted = torch.from_numpy(random.permutation(len(x))[:pixels])
    values = pictures.gather(1, seen[..., None].expand(-1, -1, dataset.channels))
    return _Batch(torch.from_numpy(indices), x[seen], values, x[fitted], pictures[:, fitted])


def _add_loss_gradient(prior: Prior, batch: _Batch) -> dict[str, float]:
    """Add the gradient of the loss to that of the parameters; return the terms of the loss by name."""
    code = prior.codes[batch.indices] if prior.codes is not None else prior.infer(batch.context, batch.context_values)
    layers = prior.layers(code)
    generated = [tensor for layer in layers if isinstance(layer, Affine) for tensor in (layer.weight, layer.bias)]
    sizes = torch.stack([tensor.square().sum() for tensor in generated])
    terms = {
        "picture": (through(layers, batch.coords) - batch.reference).square().mean(),
        "code": LATENT_WEIGHT * code.square().mean(),
        "network": NETWORK_WEIGHT * sizes.sum() / len(code),
    }
    torch.stack(list(terms.values())).sum().backward()
    return {name: term.item() for name, term in terms.items()}


def _add_reptile_gradient(prior: Prior, batch: _Batch) -> dict[str, float]:
    """Set the gradient of the initialization to its difference from the mean of the networks fitted from it.

    Source: Nichol et al., "On first-order meta-learning algorithms" (Reptile), 2018; for fields Tancik et al.,
    "Learned initializations for optimizing coordinate-based neural representations", CVPR 2021.
    """
    assert prior.start is not None
    x = batch.coords.expand(len(batch.reference), -1, -1)
    networks = fit_from_start(prior.start, x, batch.reference)
    for parameter, stacked in zip(prior.start.parameters(), networks.parameters(), strict=True):
        parameter.grad = parameter.detach() - stacked.detach().reshape(len(x), *parameter.shape).mean(0)
    with torch.no_grad():
        return {"picture": (networks(x) - batch.reference).square().mean().item()}


@torch.no_grad()
def _measure_codes(prior: Prior, dataset: ImageDataset, train: NDArray[np.int64], seed: int) -> None:
    """Set the distribution of the codes and the noise of a trained prior, from pictures of which all is observed."""
    x, count, device = pixel_grid(dataset.size), len(train), prior.middle.device
    random = np.random.default_rng((seed, 0xC0DE))
    if prior.codes is not None:
        codes = prior.codes.detach()
    else:
        chunks = np.array_split(
            random.permutation(count)[:CODE_PICTURES], math.ceil(min(count, CODE_PICTURES) / CODE_CHUNK)
        )
        inputs = ((x.expand(len(chunk), -1, -1), pixel_values(dataset, train[chunk])) for chunk in chunks)
        codes = torch.cat([prior.infer(coords.to(device), values.to(device)) for coords, values in inputs])
    prior.codes = None
    _set_distribution(prior, codes)
    subset = np.sort(random.permutation(count)[:NOISE_PICTURES])
    pixels = torch.from_numpy(random.permutation(len(x))[:NOISE_PIXELS])
    coords = x[pixels].expand(len(subset), -1, -1).to(device)
    values = pixel_values(dataset, train[subset])[:, pixels].to(device)
    for _ in range(3):  # fixed-point iteration: the noise weights the data term of the refinement that determines it
        prior.noise.copy_((prior(prior.infer(coords, values, REFINE_STEPS), coords) - values).square().mean())


@torch.no_grad()
def _set_distribution(prior: Prior, codes: Tensor) -> None:
    """Set the mean and the spread of a prior to those of some codes (n, latent)."""
    codes = codes.double()
    eigenvalues, eigenvectors = torch.linalg.eigh(torch.cov(codes.T, correction=0))
    prior.middle.copy_(codes.mean(0))
    prior.spread.copy_(eigenvectors * eigenvalues.clamp(min=0).sqrt())


def _checksum(dataset: ImageDataset) -> int:
    """Return a checksum of the names and the pixels."""
    checksum = zlib.crc32("\n".join(dataset.names).encode())
    for chunk in np.array_split(dataset.pixels, len(dataset) // CODE_PICTURES + 1):
        checksum = zlib.crc32(np.ascontiguousarray(chunk).data, checksum)
    return checksum
