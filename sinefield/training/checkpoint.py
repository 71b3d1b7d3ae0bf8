"""The whole state of a training: captured, restored, saved and resumed bit for bit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from sinefield import serialization
from sinefield.errors import InputError
from sinefield.metrics import psnr


@dataclass
class TrainingState:
    """The state of a training, apart from the weights and the optimizer.

    Attributes:
        step: Completed steps.
        seconds: Elapsed time.
        halvings: How often the learning rate was halved because the error rose.
        terms: Terms of the loss on the last batch, by the names of the constraints.
        best_step, best_error: Step and error of the best weights so far.
        history: (step, seconds, error) at each evaluation.
        stopped: Why the training ended: "steps", "seconds", "psnr", "interrupted" or "diverged"; None before.
    """

    step: int = 0
    seconds: float = 0.0
    halvings: int = 0
    terms: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    best_error: float = math.inf
    history: list[tuple[int, float, float]] = field(default_factory=list)
    stopped: str | None = None

    @property
    def loss(self) -> float:
        """The loss on the last batch."""
        return sum(self.terms.values())

    @property
    def psnr(self) -> float:
        """The PSNR of the best weights in dB, where the error is a mean square on [-1, 1]."""
        return psnr(self.best_error)


class Snapshot(NamedTuple):
    """The weights and the state of the optimizer: its tensors by name, and its parameter groups."""

    tensors: dict[str, Tensor]
    groups: list[dict[str, Any]]


def capture(function: nn.Module, optimizer: Optimizer) -> Snapshot:
    """Copy the weights and the state of the optimizer; that of L-BFGS is left out and rebuilt."""
    memory = optimizer.state_dict() | ({"state": {}} if isinstance(optimizer, LBFGS) else {})
    tensors = {f"weights/{name}": tensor for name, tensor in function.state_dict().items()}
    for index, entries in memory["state"].items():
        tensors |= {f"memory/{index}/{name}": torch.as_tensor(value) for name, value in entries.items()}
    groups = [dict(group) for group in memory["param_groups"]]
    return Snapshot({name: tensor.detach().clone() for name, tensor in tensors.items()}, groups)


def restore(function: nn.Module, optimizer: Optimizer, snapshot: Snapshot) -> None:
    """Set the weights and the state of the optimizer to those of a snapshot."""
    weights: dict[str, Tensor] = {}
    memory: dict[int, dict[str, Tensor]] = {}
    for name, tensor in snapshot.tensors.items():
        where, rest = name.split("/", 1)
        if where == "weights":
            weights[rest] = tensor
        else:
            index, entry = rest.split("/")
            memory.setdefault(int(index), {})[entry] = tensor.clone()
    function.load_state_dict(weights)
    optimizer.load_state_dict({"state": memory, "param_groups": [dict(group) for group in snapshot.groups]})


def state_file(directory: Path, resume: bool) -> Path:
    """Return the path of the state in a directory, which is created if necessary.

    Raises:
        InputError: The directory cannot be created, or it holds a state that would be overwritten.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the checkpoint directory {directory} cannot be made: {error.strerror}") from error
    path = directory / "state.safetensors"
    if path.exists() and not resume:
        raise InputError(f"{path} holds the state of an earlier fit; resume it, or use another checkpoint directory")
    return path


def write(path: Path, identity: dict[str, Any], state: TrainingState, now: Snapshot, best: Snapshot) -> None:
    """Save a training; `identity` describes what it was started with, which `read` compares."""
    tensors = {
        f"{when}/{name}": tensor for when, each in (("now", now), ("best", best)) for name, tensor in each[0].items()
    }
    numbers = {name: value for name, value in asdict(state).items() if name not in ("terms", "stopped")}
    header = {"identity": identity, "state": numbers, "groups": {"now": now.groups, "best": best.groups}}
    serialization.write(path, "state", tensors, header)


def read(path: Path, identity: dict[str, Any]) -> tuple[TrainingState, Snapshot, Snapshot]:
    """Return the state, the current snapshot and the snapshot of the best weights.

    Raises:
        InputError: The file is damaged, or belongs to a training that was started with something else.
    """
    tensors, header = serialization.read(path, "state")
    for name, value in identity.items():
        if header["identity"].get(name) != value:
            raise InputError(
                f"{path} is of a fit with {name} = {header['identity'].get(name)}, not {value}; "
                "resume with the same options, or use another checkpoint directory"
            )
    numbers: dict[str, Any] = {name: math.inf if value is None else value for name, value in header["state"].items()}
    numbers["history"] = [tuple(math.inf if n is None else n for n in entry) for entry in numbers["history"]]
    now, best = (
        Snapshot(
            {name.removeprefix(f"{when}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{when}/")},
            header["groups"][when],
        )
        for when in ("now", "best")
    )
    return TrainingState(**numbers), now, best
