"""The one loop: step, look, keep the best, save, go back where it went wrong, stop."""

from __future__ import annotations

import math
import signal as signals_of_the_system
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from sinefield.errors import InputError
from sinefield.training.checkpoint import Snapshot, State, capture, read, restore, state_file, write
from sinefield.training.recipes import evaluation_weights

RISE, ROUNDING = 10.0, 1e-8
"""An error so many times the best, and beyond what rounding makes of float32, means that the rate is too large."""

RESTARTS = 4
"""So many times at most is a fit begun anew that has learnt nothing."""

SAVE_EVERY = 30.0
"""Seconds after which the state is saved even between two looks at the quality."""

Progress = Callable[[State], None]


@dataclass(frozen=True)
class Stop:
    """When a fit ends: at whichever comes first of what is given."""

    steps: int | None = None
    seconds: float | None = None
    psnr: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} must be a positive number; it is {value}")

    def reason(self, state: State) -> str | None:
        """What has come: "psnr", "steps", "seconds", "diverged", or None."""
        if self.psnr is not None and state.psnr >= self.psnr:
            return "psnr"
        if self.steps is not None and state.step >= self.steps:
            return "steps"
        if self.seconds is not None and state.seconds >= self.seconds:
            return "seconds"
        return "diverged" if state.halvings > 10 else None


def iterate(
    function: nn.Module,
    optimizer: Optimizer,
    stop: Stop,
    advance: Callable[[int], dict[str, float]],
    evaluate: Callable[[], float],
    *,
    evaluate_every: int = 100,
    constant: float | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    identity: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[State, str]:
    """Step after step until it is time to stop; what is left in the function are the best parameters.

    Where the loss turns NaN or the error rises, the fit goes back to its best state with half the learning rate; where
    it stays at that of a constant, to its beginning. It says so.

    Args:
        function: what is fitted.
        optimiser: over the function's parameters.
        stop: when to end.
        advance: takes a step of this number with the optimiser; returns the terms of the loss before it, by name.
        judge: the error by which weights are compared, the smaller the better.
        judge_every: steps between two looks at it.
        constant: what the best constant would have as its error, where that is known.
        checkpoint: a folder to save the state in; `resume` goes on from what is there.
        identity: what a saved state must have been started with to go on from it.
        progress: called with the state after each step.

    Returns:
        The final state, and why it ended: "steps", "seconds", "psnr", "interrupted" or "diverged".
    """
    state, rates = State(), [group["lr"] for group in optimizer.param_groups]
    new = best = capture(function, optimizer)
    path = None if checkpoint is None else state_file(checkpoint, resume)
    if path is not None and path.exists():
        state, now, best = read(path, identity or {})
        restore(function, optimizer, now)
    elif resume:
        warnings.warn(f"there is no state in {checkpoint} yet; the fit starts from the beginning", stacklevel=3)
    start, saved = time.perf_counter() - state.seconds, time.perf_counter()

    def look() -> float:
        nonlocal best
        with evaluation_weights(optimizer):
            error = evaluate()
        state.history.append((state.step, round(state.seconds, 3), error))
        if error < state.best_mse:
            state.best_step, state.best_mse, best = state.step, error, capture(function, optimizer)
        return error

    def stuck() -> bool:
        """Whether the last two looks saw the best constant: steps too large have silenced the network."""
        if constant is None or constant <= ROUNDING or len(state.history) < 2 or state.halvings >= RESTARTS:
            return False
        before, now = (error for _, _, error in state.history[-2:])
        return now > 0.95 * constant and 0.999 * before < now

    def go_back(to: Snapshot, why: str) -> None:
        state.halvings += 1
        restore(function, optimizer, to)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate / 2**state.halvings
        warnings.warn(f"{why}, with a learning rate of {rates[0] / 2**state.halvings:.2g}", stacklevel=4)

    with _interruptible() as interrupted:
        while (stopped := stop.reason(state)) is None and not interrupted.is_set():
            state.terms = advance(state.step)
            state.step += 1
            state.seconds = time.perf_counter() - start
            due = state.step % evaluate_every == 0
            error = math.nan if not math.isfinite(state.loss) else look() if due else state.best_mse
            if not error <= max(RISE * state.best_mse, ROUNDING):
                go_back(best, f"the error was {error:.3g} after step {state.step}; went back to step {state.best_step}")
            elif due and stuck():
                go_back(new, f"nothing was learnt in {state.step} steps; began anew")
            if path is not None and (due or time.perf_counter() - saved > SAVE_EVERY):
                write(path, identity or {}, state, capture(function, optimizer), best)
                saved = time.perf_counter()
            if progress is not None:
                progress(state)
        if path is not None:
            write(path, identity or {}, state, capture(function, optimizer), best)
        if state.step % evaluate_every != 0:
            look()
    restore(function, optimizer, best)
    with evaluation_weights(optimizer):
        kept = {name: tensor.clone() for name, tensor in function.state_dict().items()}
    function.load_state_dict(kept)
    return state, stopped or "interrupted"


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, so that a step is never cut in two; the second one acts as usual."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signals_of_the_system.getsignal(signals_of_the_system.SIGINT)

    def handler(number: int, frame: object) -> None:
        interrupted.set()
        signals_of_the_system.signal(signals_of_the_system.SIGINT, before)

    signals_of_the_system.signal(signals_of_the_system.SIGINT, handler)
    try:
        yield interrupted
    finally:
        signals_of_the_system.signal(signals_of_the_system.SIGINT, before)
