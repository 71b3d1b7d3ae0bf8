"""How a field was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from sinefield.metrics import psnr

History = tuple[tuple[int, float, float], ...]
"""(step, seconds, error) at each evaluation of a training."""


@dataclass(frozen=True)
class FitInfo:
    """What was fitted, with which settings, how the training went, and the quality reached.

    Attributes:
        source: Name of the signal or problem.
        task: Name of the function that made the field, such as "fit".
        settings: Settings by name, such as the recipe, the activation, the optimizer and the seed.
        parameters: Number of parameters that were trained.
        stopped: Why the training ended: "steps", "seconds", "psnr", "interrupted" or "diverged"; None without training.
        steps, best_step: Steps taken, and the step of the weights that were kept.
        seconds: Duration of the training.
        history: (step, seconds, error) at each evaluation.
        quality: Figures of quality by name, such as `mse` and `psnr_db` on [-1, 1].
        torch: Version of PyTorch.
    """

    source: str = ""
    task: str = "fit"
    settings: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    stopped: str | None = None
    steps: int = 0
    best_step: int = 0
    seconds: float = 0.0
    history: History = ()
    quality: Mapping[str, Any] = field(default_factory=dict)
    torch: str = torch.__version__

    def with_quality(self, figures: Mapping[str, Any]) -> FitInfo:
        """Return a copy with more figures of quality."""
        return replace(self, quality={**self.quality, **figures})

    def interrupted(self) -> FitInfo:
        """Return a copy that says that the task was interrupted."""
        return replace(self, stopped="interrupted")

    def summary(self) -> dict[str, Any]:
        """Return everything but the history as one flat dictionary, for tables and JSON."""
        numbers = {"parameters": self.parameters, "torch": self.torch}
        training = {name: getattr(self, name) for name in ("stopped", "steps", "best_step", "seconds")}
        return {"source": self.source, "task": self.task, **self.settings, **numbers, **training, **self.quality}

    @property
    def psnr_history(self) -> list[tuple[int, float, float]]:
        """The history with PSNR in dB, where the error is a mean square on [-1, 1]."""
        return [(step, seconds, psnr(error)) for step, seconds, error in self.history]


def from_json(entries: Mapping[str, Any]) -> FitInfo:
    """Return the information that a file's header holds."""
    known = {each.name for each in fields(FitInfo)}
    given = {name: value for name, value in entries.items() if name in known}
    history = tuple((int(step), float(seconds), _number(error)) for step, seconds, error in given.get("history", ()))
    return FitInfo(**{**given, "history": history})


def _number(value: float | None) -> float:
    """JSON has no infinity; it is stored as null."""
    return float("inf") if value is None else float(value)
