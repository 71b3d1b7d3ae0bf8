"""The protocol by which tasks report their progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Progress(NamedTuple):
    """How far a task has come.

    Attributes:
        done: Completed share, from 0 to 1.
        message: Short description of the current state, such as "step 120  loss 1.2e-03  31.2 dB".
        step: Training steps completed; 0 for a task that is not a training.
        psnr: PSNR of the best weights in dB; None before the first evaluation and where it has no meaning.
    """

    done: float
    message: str = ""
    step: int = 0
    psnr: float | None = None


ProgressCallback = Callable[[Progress], None]
"""A function that a task calls after each step or chunk of its work."""


def ignore(progress: Progress) -> None:
    """Ignore progress: the default callback."""


def subtask(callback: ProgressCallback, start: float, stop: float) -> ProgressCallback:
    """Return the callback of a part of a task, whose progress from 0 to 1 is that of the task from `start` to `stop`.

    >>> seen = []
    >>> subtask(lambda progress: seen.append(progress.done), 0.5, 1.0)(Progress(0.5))
    >>> seen
    [0.75]
    """
    return lambda progress: callback(progress._replace(done=start + (stop - start) * progress.done))


def subtasks(callback: ProgressCallback, costs: Sequence[float]) -> list[ProgressCallback]:
    """Return one callback for each of several consecutive subtasks, with their shares in proportion to their costs."""
    total, before, parts = sum(costs), 0.0, []
    for cost in costs:
        parts.append(subtask(callback, before / total, (before + cost) / total))
        before += cost
    return parts
