"""A prior, learned from an album of pictures."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sinefield.errors import InputError
from sinefield.networks import ENCODERS
from sinefield.networks.layers import Affine, through
from sinefield.priors.data import ImageDataset, contexts, values_of
from sinefield.priors.evaluate import errors
from sinefield.priors.meta_learning import fitted
from sinefield.priors.prior import LATENT_WEIGHT, NETWORK_WEIGHT, PAPER, SEARCH, Prior, PriorConfig, grid
from sinefield.training.device import available
from sinefield.training.loop import Progress, Stop, iterate
from sinefield.training.optimizers.soap import Soap

RATE, HOLD, WIDEST = 5e-4, 6000, 300
"""Of SOAP, the step from which on it falls, and the sides of matrices whose basis it turns: many are longer."""

BATCH, SEEN, DENSE = 32, (10, 200), 8
"""Pictures in a step, pixels that the encoder sees of each, and one in so many steps in which it may see all."""

JUDGED, JUDGED_BY, EVALUATE_EVERY = 256, 100, 250
"""Pictures by which the quality is judged on the way, pixels that are seen of them, and the steps between two looks."""

MEASURED, SEARCHED, PIXELS = 4096, 32, 1024
"""Pictures by which the spread of the codes is measured; pictures, and pixels of each, for the error that is left."""

STEPS = 20_000
"""How long, where nothing else is said."""

Log = Callable[[Prior, int, dict[str, float]], None]


def fit_prior(
    dataset: ImageDataset,
    config: PriorConfig | None = None,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    batch: int = BATCH,
    pixels: int | None = None,
    rate: float = RATE,
    holdout: float = 0.1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    log: Log | None = None,
) -> Prior:
    """The prior of an album: least mean |Φ(x) - f(x)|² + 0.1 mean |z|² + 100 mean |θ|² over its pictures.

    The last mean is that of the paper's networks: in others the sum of squares weighs as much as it does there. In each
    step the encoder sees from 10 to 200 random pixels of some pictures, in one of eight steps as many as there are;
    half of the pictures are mirrored. The weights that were best on the pictures held out are kept.

    Args:
        album: of pictures of one size.
        space: what the prior is made of; its size and channels are the album's.
        steps, seconds: when to stop, whichever comes first; 20,000 steps if neither is given.
        batch: pictures in a step.
        pixels: of each picture in a step; a quarter of them unless given.
        rate: the highest learning rate.
        holdout: the share of the pictures, drawn with the seed, that is kept out and judged by.
        seed: of weights, batches, and what is held out.
        device, checkpoint, resume, progress: as for `sinefield.fit`.
        log: called at each look at the quality with the prior, the step and numbers by name.

    Raises:
        InputError: an album that does not go with the space, a share that leaves nothing to learn from.
    """
    config = config or default_config(dataset.size, dataset.channels)
    if (config.size, config.channels) != (dataset.size, dataset.channels):
        raise InputError(
            f"the space is of {config.size} pixels and {config.channels} channels, the album of {dataset.size} and "
            f"{dataset.channels}"
        )
    if batch < 1 or (pixels is not None and pixels < 1):
        raise InputError("a step needs one picture and one pixel or more")
    if not 0 < rate < math.inf:
        raise InputError(f"the rate must be a positive number; it is {rate}")
    if resume and checkpoint is None:
        raise InputError("resume needs the checkpoint folder to go on from")
    pixels = min(pixels or max(dataset.size**2 // 4, 1), dataset.size**2)
    train, kept = parted(len(dataset), holdout, seed)
    made: dict[str, Any] = {"pictures": len(dataset), "checksum": _checksum(dataset), "holdout": holdout, "seed": seed}
    made |= {"batch": batch, "pixels": pixels, "rate": rate}
    prior = Prior(config, made, seed).to(available(device))
    if config.encoder == "none":
        prior.codes = nn.Parameter(torch.zeros(len(train), config.latent, device=prior.middle.device))
    optimizer, terms, now = Soap(prior.parameters(), rate, HOLD, WIDEST), dict[str, float](), 0

    def advance(step: int) -> dict[str, float]:
        nonlocal terms, now
        now = step + 1
        optimizer.zero_grad()
        seen = _batch(dataset, train, batch, pixels, config, (seed, step)).to(prior.middle.device)
        terms = (_reptile if config.encoder == "meta" else _descend)(prior, seen)
        if math.isfinite(sum(terms.values())):
            optimizer.step()
        return terms

    def evaluate() -> float:
        if prior.codes is not None:  # by which the codes of other pictures are found
            _spread(prior, prior.codes)
        error = float(np.mean(errors(prior, dataset, kept[:JUDGED], min(JUDGED_BY, dataset.size**2), seed=seed)))
        if log is not None:
            log(prior, now, {"held out": error, **terms})
        return error

    state, stopped = iterate(
        prior,
        optimizer,
        Stop(STEPS if steps is None and seconds is None else steps, seconds),
        advance,
        evaluate,
        evaluate_every=EVALUATE_EVERY,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        resume=resume,
        identity=asdict(config) | made,
        progress=progress,
    )
    prior.requires_grad_(False)
    if config.encoder != "meta":
        try:
            _measure(prior, dataset, train, seed)
        except KeyboardInterrupt:  # what was learnt is not lost by it
            stopped = "interrupted"
    prior.made = made | {
        "stopped": stopped,
        "steps": state.step,
        "best_step": state.best_step,
        "seconds": round(state.seconds, 3),
        "mse_held_out": state.best_mse,
        "history": state.history,
        "parameters": sum(p.numel() for p in prior.parameters()),
        "torch": torch.__version__,
    }
    return prior


def default_config(size: int, channels: int = 1, recipe: str = "default", **given: Any) -> PriorConfig:
    """The space for pictures of a size: of a recipe, "default" or "paper", but for what is given.

    The encoder's grid is halved once or more, down to 7 cells along a side or fewer, but for the paper's.
    """
    if recipe not in ("default", "paper"):
        raise InputError(f"there is no recipe {recipe!r}; choose from default, paper")
    halvings = 1
    while -(-size // 2**halvings) > 7:
        halvings += 1
    chosen = PAPER if recipe == "paper" else {"halvings": halvings}
    return PriorConfig(size, channels, **{**chosen, **given})


def parted(count: int, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indices of so many pictures in two parts, the second of which is held out.

    Raises:
        InputError: a share that leaves no picture in one of them.
    """
    if not 0 < share < 1 or not 0 < (kept := round(share * count)) < count:
        raise InputError(f"a share from 0 to 1 of the {count} pictures is held out; {share} leaves none on one side")
    order = np.random.default_rng((seed, 0xFACE)).permutation(count)
    return np.sort(order[kept:]), order[:kept]


def unseen(prior: Prior, dataset: ImageDataset) -> NDArray[np.int64]:
    """The indices of the pictures of an album that a prior was not learned from: those held out, or all."""
    if prior.made.get("checksum") != _checksum(dataset):
        return np.arange(len(dataset))
    return parted(len(dataset), prior.made["holdout"], prior.made["seed"])[1]


class _Seen(NamedTuple):
    """Some pictures in a step: which, what the encoder sees of them (places and values), and what is judged."""

    which: Tensor
    x: Tensor
    values: Tensor
    coords: Tensor
    reference: Tensor

    def to(self, device: torch.device) -> _Seen:
        return _Seen(*(each.to(device) for each in self))


def _batch(
    dataset: ImageDataset, train: NDArray[np.int64], batch: int, pixels: int, config: PriorConfig, seed: tuple[int, int]
) -> _Seen:
    random, x = np.random.default_rng(seed), grid(dataset.size)
    which = random.integers(len(train), size=batch)
    pictures = values_of(dataset, train[which])
    if config.encoder in ENCODERS:  # a code of its own, as an auto-decoder has, is for one picture
        mirrored = random.random(batch) < 0.5
        upright = pictures.unflatten(1, (dataset.size, dataset.size))
        upright[mirrored] = upright[mirrored].flip(2)
        pictures = upright.flatten(1, 2)
    most = min(SEEN[1], len(x)) if seed[1] % DENSE else len(x)
    count = int(random.integers(min(SEEN[0], most), most + 1))
    seen = contexts(batch, len(x), count, (*seed, 1))
    judged_at = torch.from_numpy(random.permutation(len(x))[:pixels])
    values = pictures.gather(1, seen[..., None].expand(-1, -1, dataset.channels))
    return _Seen(torch.from_numpy(which), x[seen], values, x[judged_at], pictures[:, judged_at])


def _descend(prior: Prior, seen: _Seen) -> dict[str, float]:
    """Leave the gradient of the loss in the parameters."""
    code = prior.infer(seen.x, seen.values) if prior.codes is None else prior.codes[seen.which]
    layers = prior.layers(code)
    made = [tensor for layer in layers if isinstance(layer, Affine) for tensor in (layer.weight, layer.bias)]
    sizes = torch.stack([tensor.square().sum() for tensor in made])
    terms = {
        "picture": (through(layers, seen.coords) - seen.reference).square().mean(),
        "code": LATENT_WEIGHT * code.square().mean(),
        "network": NETWORK_WEIGHT * sizes.sum() / len(code),
    }
    torch.stack(list(terms.values())).sum().backward()
    return {name: term.item() for name, term in terms.items()}


def _reptile(prior: Prior, seen: _Seen) -> dict[str, float]:
    """Leave in the start's gradient the way back from where a few steps lead for each picture, on average.

    Source: Nichol et al., "On first-order meta-learning algorithms" (Reptile), 2018; for fields Tancik et al.,
    "Learned initializations for optimizing coordinate-based neural representations", CVPR 2021.
    """
    assert prior.start is not None
    x = seen.coords.expand(len(seen.reference), -1, -1)
    many = fitted(prior.start, x, seen.reference)
    for parameter, stacked in zip(prior.start.parameters(), many.parameters(), strict=True):
        parameter.grad = parameter.detach() - stacked.detach().reshape(len(x), *parameter.shape).mean(0)
    with torch.no_grad():
        return {"picture": (many(x) - seen.reference).square().mean().item()}


@torch.no_grad()
def _measure(prior: Prior, dataset: ImageDataset, train: NDArray[np.int64], seed: int) -> None:
    """The mean and the spread of the codes of some pictures, of which all is seen, and the error that is left."""
    x, count, device = grid(dataset.size), len(train), prior.middle.device
    random = np.random.default_rng((seed, 0xC0DE))
    if prior.codes is not None:
        found = prior.codes.detach()
    else:
        parts = np.array_split(random.permutation(count)[:MEASURED], -(-min(count, MEASURED) // JUDGED))
        seen = ((x.expand(len(part), -1, -1), values_of(dataset, train[part])) for part in parts)
        found = torch.cat([prior.infer(coords.to(device), values.to(device)) for coords, values in seen])
    prior.codes = None
    _spread(prior, found)
    some = np.sort(random.permutation(count)[:SEARCHED])
    pixels = torch.from_numpy(random.permutation(len(x))[:PIXELS])
    coords = x[pixels].expand(len(some), -1, -1).to(device)
    values = values_of(dataset, train[some])[:, pixels].to(device)
    for _ in range(3):  # the search weighs by the error that is left
        prior.noise.copy_((prior(prior.infer(coords, values, SEARCH), coords) - values).square().mean())


@torch.no_grad()
def _spread(prior: Prior, codes: Tensor) -> None:
    """Take the mean and the spread from some codes (n, latent)."""
    codes = codes.double()
    size, axes = torch.linalg.eigh(torch.cov(codes.T, correction=0))
    prior.middle.copy_(codes.mean(0))
    prior.spread.copy_(axes * size.clamp(min=0).sqrt())


def _checksum(dataset: ImageDataset) -> int:
    """Of the names and the pixels."""
    checksum = zlib.crc32("\n".join(dataset.names).encode())
    for part in np.array_split(dataset.pixels, len(dataset) // MEASURED + 1):
        checksum = zlib.crc32(np.ascontiguousarray(part).data, checksum)
    return checksum
