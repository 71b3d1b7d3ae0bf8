"""What every task is given: how to train, and which network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sinefield.errors import InputError
from sinefield.progress import ProgressCallback, ignore
from sinefield.training.checkpoint import TrainingState
from sinefield.training.device import resolve_device


@dataclass(frozen=True)
class NetworkSpec:
    """A network to build; None leaves a choice to the recipe.

    Attributes:
        activation: Name in `sinefield.networks.ACTIVATIONS`.
        width: Units in a hidden layer.
        depth: Hidden layers after the first.
        omega: ω of the first layer.
    """

    activation: str = "sine"
    width: int | None = None
    depth: int | None = None
    omega: float | None = None


@dataclass(frozen=True)
class Training:
    """When a training ends, where it runs, and what it saves.

    Attributes:
        steps, seconds, psnr: Stop at the given number of steps, time in seconds or PSNR in dB, whichever comes first.
        seed: Seed of weights, batches and the held-out samples, from 0 to 2⁶³ - 1.
        device: Where to train.
        dtype: torch.float32 or torch.float64.
        checkpoint: Directory for periodic checkpoints.
        resume: Continue from the state in that directory, if there is one.
        progress: Called after each step.

    Raises:
        InputError: A value is out of range, the device is not available, or `resume` without `checkpoint`.
    """

    steps: int | None = None
    seconds: float | None = None
    psnr: float | None = None
    seed: int = 0
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32
    checkpoint: str | Path | None = None
    resume: bool = False
    progress: ProgressCallback | None = None

    def __post_init__(self) -> None:
        for name, value in {"steps": self.steps, "seconds": self.seconds, "psnr": self.psnr}.items():
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} must be a positive number; it is {value}")
        if self.dtype not in (torch.float32, torch.float64):
            raise InputError(f"dtype must be torch.float32 or torch.float64; it is {self.dtype}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed must be from 0 to 2⁶³ - 1; it is {self.seed}")
        if self.resume and self.checkpoint is None:
            raise InputError("resume needs the checkpoint directory to continue from")
        object.__setattr__(self, "device", resolve_device(self.device))
        object.__setattr__(self, "checkpoint", None if self.checkpoint is None else Path(self.checkpoint))

    def or_steps(self, steps: int) -> Training:
        """Return this training, which stops after `steps` steps if neither steps nor seconds were given.

        A PSNR alone may be out of reach, so ten times as many steps are the limit then.
        """
        if self.steps is not None or self.seconds is not None:
            return self
        return replace(self, steps=steps * (1 if self.psnr is None else 10))

    def stop_reason(self, state: TrainingState) -> str | None:
        """Return why the training ends at a state, "psnr", "steps", "seconds" or "diverged"; None if it continues."""
        if self.psnr is not None and state.psnr >= self.psnr:
            return "psnr"
        if self.steps is not None and state.step >= self.steps:
            return "steps"
        if self.seconds is not None and state.seconds >= self.seconds:
            return "seconds"
        return "diverged" if state.halvings > 10 else None

    def share_done(self, state: TrainingState) -> float:
        """Return the completed share of the steps or of the time, whichever is larger, from 0 to 1."""
        steps = state.step / self.steps if self.steps else 0.0
        seconds = state.seconds / self.seconds if self.seconds else 0.0
        return min(max(steps, seconds), 1.0)

    @property
    def report(self) -> ProgressCallback:
        """The progress callback; one that does nothing if there is none."""
        return self.progress or ignore
