"""Comparison of activations: one signal, every activation, the same budget, as in the paper's first experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from sinefield.field.field import Field
from sinefield.networks import ACTIVATIONS
from sinefield.progress import ProgressCallback, ignore, subtask
from sinefield.signals import Signal
from sinefield.tasks.fit import fit


def compare(
    signal: Signal,
    activations: Sequence[str] | None = None,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    width: int | None = None,
    depth: int | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: ProgressCallback | None = None,
) -> Iterator[tuple[str, Field]]:
    """Fit one signal with one network after another, each with the settings that suit it, in the same budget.

    Args:
        signal: Signal to fit.
        activations: Names in `sinefield.networks.ACTIVATIONS`; all of them by default.
        steps, seconds, width, depth, seed, device, progress: As for `sinefield.fit`.

    Yields:
        The name of an activation and the field that was fitted with it.

    Raises:
        InputError: An unknown activation, or what `sinefield.fit` raises.
    """
    names = list(ACTIVATIONS) if activations is None else list(activations)
    for name in names:
        ACTIVATIONS.find(name)
    for index, name in enumerate(names):
        report = _named(subtask(progress or ignore, index / len(names), (index + 1) / len(names)), name)
        field = fit(
            signal,
            activation=name,
            steps=steps,
            seconds=seconds,
            width=width,
            depth=depth,
            seed=seed,
            device=device,
            progress=report,
        )
        yield name, field


def _named(callback: ProgressCallback, name: str) -> ProgressCallback:
    """Return a callback that prepends a name to the messages."""
    return lambda progress: callback(progress._replace(message=f"{name}  {progress.message}"))
