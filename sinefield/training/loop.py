"""The training loop: it evaluates periodically, keeps the best weights, saves, and rolls back on divergence."""

from __future__ import annotations

import math
import signal as system_signals
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from sinefield.progress import Progress
from sinefield.training.checkpoint import Snapshot, TrainingState, capture, read, restore, state_file, write
from sinefield.training.optimizers.soap import Soap, averaged_weights
from sinefield.training.spec import Training

DIVERGENCE_RATIO = 10.0
"""An error this many times the best one means that the learning rate is too large."""

ROUNDING_ERROR = 1e-8
"""Mean squared errors below this are rounding errors of float32."""

MAX_RESTARTS = 4
"""Largest number of restarts of a training that did not improve over a constant."""

SAVE_INTERVAL = 30.0
"""Seconds after which the state is saved even between two evaluations."""


@dataclass(frozen=True)
class Evaluation:
    """How weights are compared during a training.

    Attributes:
        error: The error of the current weights; smaller is better.
        every: Steps between two evaluations.
        constant_error: The error of the best constant, where it is known.
        decibels: Whether the error is a mean square on [-1, 1], so that its PSNR is reported.
    """

    error: Callable[[], float]
    every: int = 100
    constant_error: float | None = None
    decibels: bool = False


def iterate(
    function: nn.Module,
    optimizer: Optimizer,
    training: Training,
    advance: Callable[[int], dict[str, float]],
    evaluation: Evaluation,
    identity: dict[str, Any] | None = None,
) -> TrainingState:
    """Take steps until the training ends, and leave the best parameters in the function.

    Where the loss becomes NaN or the error rises, the training returns to its best weights with half the learning
    rate; where the error stays that of a constant, it restarts. A warning says so. The first Ctrl-C ends the training
    after the current step.

    Args:
        function: Module to train.
        optimizer: Optimizer of its parameters.
        training: When to stop, and where to save.
        advance: Takes the step of a given number with the optimizer; returns the terms of the loss before it, by name.
        evaluation: How weights are compared.
        identity: What a saved state must have been started with so that it can be continued.

    Returns:
        The final state; `stopped` says why the training ended.
    """
    loop = _Loop(function, optimizer, training, evaluation, identity or {})
    state = loop.state
    with _interruptible() as interrupted:
        while (stopped := training.stop_reason(state)) is None and not interrupted.is_set():
            loop.step(advance)
        if loop.path is not None:
            loop.save()
        if state.step % evaluation.every != 0:
            loop.evaluate()
    state.stopped = stopped or "interrupted"
    restore(function, optimizer, loop.best)
    with evaluation_weights(optimizer):
        kept = {name: tensor.clone() for name, tensor in function.state_dict().items()}
    function.load_state_dict(kept)
    return state


@contextmanager
def evaluation_weights(optimizer: Optimizer) -> Iterator[None]:
    """Use the weights that are evaluated and kept: the averaged ones, if the optimizer has them.

    Afterwards the weights are the same as before, bit for bit.
    """
    with averaged_weights(optimizer) if isinstance(optimizer, Soap) else nullcontext():
        yield


@dataclass
class _Loop:
    """A training in progress."""

    function: nn.Module
    optimizer: Optimizer
    training: Training
    evaluation: Evaluation
    identity: dict[str, Any]
    state: TrainingState = field(default_factory=TrainingState)

    def __post_init__(self) -> None:
        self.learning_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.initial = self.best = capture(self.function, self.optimizer)
        directory = self.training.checkpoint
        self.path = state_file(Path(directory), self.training.resume) if directory is not None else None
        if self.path is not None and self.path.exists():
            self.state, now, self.best = read(self.path, self.identity)
            restore(self.function, self.optimizer, now)
        elif self.training.resume:
            warnings.warn(f"there is no state in {directory} yet; the training starts at step 0", stacklevel=5)
        self.start = time.perf_counter() - self.state.seconds
        self.saved = time.perf_counter()

    def step(self, advance: Callable[[int], dict[str, float]]) -> None:
        """Take one step, and evaluate, roll back, save and report as needed."""
        state, every = self.state, self.evaluation.every
        state.terms = advance(state.step)
        state.step += 1
        state.seconds = time.perf_counter() - self.start
        due = state.step % every == 0
        error = math.nan if not math.isfinite(state.loss) else self.evaluate() if due else state.best_error
        if not error <= max(DIVERGENCE_RATIO * state.best_error, ROUNDING_ERROR):
            self.roll_back(
                self.best, f"the error was {error:.3g} after step {state.step}; returning to step {state.best_step}"
            )
        elif due and self.is_stuck():
            self.roll_back(self.initial, f"no improvement over a constant after {state.step} steps; restarting")
        if self.path is not None and (due or time.perf_counter() - self.saved > SAVE_INTERVAL):
            self.save()
        self.training.report(self.progress())

    def evaluate(self) -> float:
        """Evaluate the current weights, and keep them if they are the best so far."""
        state = self.state
        with evaluation_weights(self.optimizer):
            error = self.evaluation.error()
        state.history.append((state.step, round(state.seconds, 3), error))
        if error < state.best_error:
            state.best_step, state.best_error = state.step, error
            self.best = capture(self.function, self.optimizer)
        return error

    def is_stuck(self) -> bool:
        """Whether the last two errors are that of the best constant: too large steps have saturated the network."""
        constant, history = self.evaluation.constant_error, self.state.history
        if constant is None or constant <= ROUNDING_ERROR or len(history) < 2 or self.state.halvings >= MAX_RESTARTS:
            return False
        before, now = (error for _, _, error in history[-2:])
        return now > 0.95 * constant and 0.999 * before < now

    def roll_back(self, snapshot: Snapshot, reason: str) -> None:
        """Return to a snapshot with half the learning rate."""
        self.state.halvings += 1
        restore(self.function, self.optimizer, snapshot)
        for group, rate in zip(self.optimizer.param_groups, self.learning_rates, strict=True):
            group["lr"] = rate / 2**self.state.halvings
        rate = self.learning_rates[0] / 2**self.state.halvings
        warnings.warn(f"{reason} with a learning rate of {rate:.2g}", stacklevel=6)

    def save(self) -> None:
        assert self.path is not None
        write(self.path, self.identity, self.state, capture(self.function, self.optimizer), self.best)
        self.saved = time.perf_counter()

    def progress(self) -> Progress:
        state = self.state
        psnr = state.psnr if self.evaluation.decibels and state.history else None
        terms = state.terms if len(state.terms) <= 2 else {"loss": state.loss}
        parts = [f"step {state.step}", *(f"{name} {term:.1e}" for name, term in terms.items())]
        parts += [] if psnr is None else [f"{psnr:.1f} dB"]
        return Progress(self.training.share_done(state), "  ".join(parts), state.step, psnr)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets, so that no step is interrupted; the second one acts as usual."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = system_signals.getsignal(system_signals.SIGINT)

    def handler(number: int, frame: object) -> None:
        interrupted.set()
        system_signals.signal(system_signals.SIGINT, before)

    system_signals.signal(system_signals.SIGINT, handler)
    try:
        yield interrupted
    finally:
        system_signals.signal(system_signals.SIGINT, before)
