"""Creation of a field for a signal, and training of its network."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch.optim import Optimizer

from sinefield.constraints.constraint import Constraint
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.field.info import FitInfo
from sinefield.networks import Perceptron
from sinefield.parallel import WorkerPool
from sinefield.signals import Signal
from sinefield.training.checkpoint import TrainingState
from sinefield.training.loop import Evaluation
from sinefield.training.minimize import train
from sinefield.training.recipes import Recipe
from sinefield.training.spec import NetworkSpec, Training


def new_field(
    network: Perceptron, signal: Signal, recipe: Recipe, training: Training, task: str, settings: Mapping[str, Any]
) -> Field:
    """Return the field of a network that is yet to be fitted to a signal."""
    network = network.to(training.dtype)
    settings = {**settings, "activation": network.name, "seed": training.seed}
    info = FitInfo(signal.name, task, settings, parameters=sum(p.numel() for p in network.parameters()))
    domain = recipe.network_domain(signal.header.domain, signal.header.shape)
    field: Field = Field(network, signal.header, info, domain).to(training.device)
    return field


def train_field(
    field: Field,
    constraints: Sequence[Constraint],
    optimizer: Optimizer,
    training: Training,
    evaluation: Evaluation | None = None,
    *,
    evaluate_every: int = 100,
    identity: Mapping[str, Any] | None = None,
    pool: WorkerPool | None = None,
) -> TrainingState:
    """Train the network of a field, freeze it, and record the training in `field.info`.

    Args:
        field: Field whose network is trained.
        constraints: Terms of the loss, on the values on [-1, 1].
        optimizer: Optimizer of the parameters of the network.
        training: When to stop, and where to save.
        evaluation: How weights are compared; by default the loss on the batches of step 0.
        evaluate_every: Steps between two evaluations, where `evaluation` is not given.
        identity: What describes the data, so that a saved state is not continued with other data.
        pool: Workers to use.
    """
    described = {**field.network.config(), **field.info.settings, "dtype": str(training.dtype), **(identity or {})}
    field.function.requires_grad_()
    try:
        state = train(
            field.function,
            constraints,
            optimizer,
            training,
            evaluation,
            evaluate_every=evaluate_every,
            identity=described,
            pool=pool,
        )
    finally:
        field.requires_grad_(False)
    field.info = trained(field.info, state)
    return state


def trained(info: FitInfo, state: TrainingState) -> FitInfo:
    """Return the information with the course of a training."""
    return replace(
        info,
        stopped=state.stopped,
        steps=state.step,
        best_step=state.best_step,
        seconds=round(state.seconds, 3),
        history=tuple(state.history),
    )


def copy_network(network: Perceptron, spec: NetworkSpec, default: str = "sine") -> Perceptron:
    """Return a network of the same architecture with the same weights.

    Raises:
        InputError: The specification asks for another architecture.
    """
    has = network.config()
    for name, value in {"width": spec.width, "depth": spec.depth, "omega_first": spec.omega}.items():
        if value is not None and value != has.get(name):
            raise InputError(f"the field to start from has {name} = {has.get(name)}, not {value}; leave it out")
    if spec.activation not in (default, network.name):
        raise InputError(
            f"the field to start from has the activation {network.name}; leave the activation {spec.activation} out"
        )
    return copy.deepcopy(network)
