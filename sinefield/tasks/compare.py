"""The experiment that the paper opens with: one signal, every activation, one budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.networks import NETWORKS
from sinefield.signals import Signal
from sinefield.tasks.fit import fit
from sinefield.training.loop import Progress


def compare(
    signal: Signal,
    activations: Sequence[str] = tuple(NETWORKS),
    *,
    steps: int | None = None,
    seconds: float | None = None,
    width: int | None = None,
    depth: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Iterator[tuple[str, Field]]:
    """Fit one signal with network after network, each with the settings that suit it, under one budget.

    Raises:
        InputError: an unknown activation, or what `fit` raises.
    """
    for activation in activations:
        if activation not in NETWORKS:
            raise InputError(f"there is no activation {activation!r}; choose from {', '.join(NETWORKS)}")
    for activation in activations:
        yield (
            activation,
            fit(
                signal,
                activation=activation,
                steps=steps,
                seconds=seconds,
                width=width,
                depth=depth,
                seed=seed,
                device=device,
                progress=progress,
            ),
        )
