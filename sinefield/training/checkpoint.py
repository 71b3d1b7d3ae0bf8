"""The whole state of a fit: captured, restored, saved and resumed to the last bit."""

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
class State:
    """Where a fit stands.

    Attributes:
        step: steps done.
        seconds: time spent.
        halvings: how often the learning rate was halved because the loss rose.
        terms: of the last batch's loss, by the constraints' names.
        best_step, best_mse: of the best weights so far.
        history: (step, seconds, mse) at each look at the quality.
    """

    step: int = 0
    seconds: float = 0.0
    halvings: int = 0
    terms: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    best_mse: float = math.inf
    history: list[tuple[int, float, float]] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """Of the last batch."""
        return sum(self.terms.values())

    @property
    def psnr(self) -> float:
        """Of the best weights, in dB."""
        return psnr(self.best_mse)


class Snapshot(NamedTuple):
    """The weights and the optimiser's memory: its tensors by name, and its settings."""

    tensors: dict[str, Tensor]
    groups: list[dict[str, Any]]


def capture(function: nn.Module, optimizer: Optimizer) -> Snapshot:
    """A copy of the weights and of all that the optimiser remembers; L-BFGS builds its memory anew."""
    memory = optimizer.state_dict() | ({"state": {}} if isinstance(optimizer, LBFGS) else {})
    tensors = {f"weights/{name}": tensor for name, tensor in function.state_dict().items()}
    for index, entries in memory["state"].items():
        tensors |= {f"memory/{index}/{name}": torch.as_tensor(value) for name, value in entries.items()}
    groups = [dict(group) for group in memory["param_groups"]]
    return Snapshot({name: tensor.detach().clone() for name, tensor in tensors.items()}, groups)


def restore(function: nn.Module, optimizer: Optimizer, snapshot: Snapshot) -> None:
    """Make the weights and the optimiser what they were."""
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


def state_file(folder: Path, resume: bool) -> Path:
    """Where the state lies in a folder, which is made if need be.

    Raises:
        InputError: the folder cannot be made, or holds a state that would be overwritten.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the checkpoint folder {folder} cannot be made: {error.strerror}") from error
    path = folder / "state.safetensors"
    if path.exists() and not resume:
        raise InputError(f"{path} holds the state of an earlier fit; resume it, or use another checkpoint folder")
    return path


def write(path: Path, identity: dict[str, Any], state: State, now: Snapshot, best: Snapshot) -> None:
    """Save a fit. `identity` is what it was started with, which `read` compares."""
    tensors = {
        f"{when}/{name}": tensor for when, each in (("now", now), ("best", best)) for name, tensor in each[0].items()
    }
    numbers = {name: value for name, value in asdict(state).items() if name != "terms"}
    header = {"identity": identity, "state": numbers, "groups": {"now": now.groups, "best": best.groups}}
    serialization.write(path, "state", tensors, header)


def read(path: Path, identity: dict[str, Any]) -> tuple[State, Snapshot, Snapshot]:
    """The state, the snapshot of now and that of the best weights.

    Raises:
        InputError: the file is damaged, or of a fit that was started with something else.
    """
    tensors, header = serialization.read(path, "state")
    for name, value in identity.items():
        if header["identity"].get(name) != value:
            raise InputError(
                f"{path} is of a fit with {name} = {header['identity'].get(name)}, not {value}; "
                "resume with the same options, or use another checkpoint folder"
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
    return State(**numbers), now, best
