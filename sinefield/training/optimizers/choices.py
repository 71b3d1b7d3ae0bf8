"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn
from torch.optim import LBFGS, Adam, Optimizer

from sinefield.constraints.constraint import Constraint
from sinefield.errors import InputError
from sinefield.sampling.schedules import repeat_batch
from sinefield.training.optimizers.natural import Natural
from sinefield.training.optimizers.soap import Soap

Groups = Iterable[dict[str, Any]]
"""Parameter groups of PyTorch, each with its "params" and perhaps its learning rate "lr"."""


@dataclass(frozen=True)
class OptimizerChoice:
    """An optimizer with the settings under which it is offered.

    Attributes:
        make: Creates it from parameter groups and a learning rate.
        learning_rate: The learning rate; None for that of the activation.
        steps: Length of a training for which neither steps nor seconds are given.
        repeat: Steps for which each batch is repeated.
    """

    make: Callable[[Groups, float], Optimizer]
    learning_rate: float | None
    steps: int
    repeat: int = 1

    def create(self, parameters: list[nn.Parameter]) -> Optimizer:
        """Create the optimizer of some parameters at its own learning rate."""
        assert self.learning_rate is not None
        return self.make([{"params": parameters}], self.learning_rate)


def find_optimizer(choices: Mapping[str, OptimizerChoice], name: str) -> OptimizerChoice:
    """Return the optimizer of a name.

    Raises:
        InputError: There is none.
    """
    if name not in choices:
        raise InputError(f"there is no optimizer {name!r}; choose from {', '.join(choices)}")
    return choices[name]


def repeat_batches(constraints: Sequence[Constraint], choice: OptimizerChoice) -> Sequence[Constraint]:
    """Return the constraints with batches that last as long as an optimizer needs them."""
    if choice.repeat == 1:
        return constraints
    samplers = {id(each.sampler): repeat_batch(each.sampler, choice.repeat) for each in constraints}
    return [replace(each, sampler=samplers[id(each.sampler)]) for each in constraints]


def adam(groups: Groups, learning_rate: float) -> Optimizer:
    return Adam(groups, lr=learning_rate)


def lbfgs(groups: Groups, learning_rate: float) -> Optimizer:
    """Create L-BFGS with a strong Wolfe line search and ten iterations per step."""
    return LBFGS(
        [parameter for group in groups for parameter in group["params"]],
        lr=learning_rate,
        max_iter=10,
        history_size=50,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )


def natural(groups: Groups, learning_rate: float) -> Optimizer:
    """Create natural gradients for noisy samples; their step does not depend on the width of the network."""
    return Natural([parameter for group in groups for parameter in group["params"]], lr=learning_rate)


def natural_noiseless(groups: Groups, learning_rate: float) -> Optimizer:
    """Create natural gradients for equations, which have no noise."""
    return Natural([parameter for group in groups for parameter in group["params"]], lr=learning_rate, noise=0.3)


OPTIMIZERS = {
    "natural": OptimizerChoice(natural_noiseless, 0.5, steps=300),
    "soap": OptimizerChoice(Soap, 3e-3, steps=5000),
    "adam": OptimizerChoice(adam, 1e-3, steps=10_000),
    "lbfgs": OptimizerChoice(lbfgs, 1.0, steps=1000, repeat=100),
}
"""Optimizers of equations; `python -m benchmarks.equations optimizers` prints what they reach in the same time."""

SIGNAL_OPTIMIZERS = {
    "natural": OptimizerChoice(natural, 0.5, steps=300),
    "soap": OptimizerChoice(Soap, None, steps=3000),
    "adam": OptimizerChoice(adam, 1e-4, steps=10_000),
    "lbfgs": OptimizerChoice(lbfgs, 1.0, steps=1000, repeat=100),
}
"""Optimizers of signals and shapes."""
