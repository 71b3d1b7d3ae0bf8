"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner, for networks of small matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

ADAM_STEPS = 10
"""Steps of plain Adam at the start, so that the first eigenvectors come from several gradients."""

WARMUP_STEPS = 20
"""Steps over which the learning rate increases linearly."""

BETAS = (0.8, 0.999)
"""Decay rates of the first and second moments."""

COVARIANCE_DECAY = 0.95
"""Decay rate of the gradient covariances."""

EPS = 1e-12
"""Added to the root of the second moment."""

COVARIANCE_INTERVAL = 2
"""Steps between two updates of the covariances."""

EIGENVECTOR_INTERVAL = 20
"""Steps between two updates of the eigenvectors."""

DECAY_POWER = 0.75
"""Power of the step number by which the learning rate decays."""

AVERAGE_SHARE = 0.05
"""Share of the steps over which the weights are averaged."""

MIN_ROWS = 8
"""A matrix whose shorter side is at most this long has no covariance of its rows, which would be rank-deficient."""

MAX_SIDE = 2048
"""Longest side of a matrix that has a covariance, by default."""


class Soap(Optimizer):
    """SOAP with a decaying learning rate and averaged weights, so that a training is good whenever it is stopped.

    With the gradient G of a matrix, L = E[G Gᵀ] and R = E[Gᵀ G], Adam's step is taken for Q_Lᵀ G Q_R, where Q_L and
    Q_R are the eigenvectors of L and R; a vector, or a side that is too long, keeps its own basis. The learning rate
    at step t is lr · min(1, t / 20) · min(1, (decay_start / t)^¾).

    Args:
        parameters: Parameters or groups of them. Axes after the first are flattened; vectors are trained by Adam.
        lr: Largest learning rate.
        decay_start: Step at which the learning rate begins to decay.
        max_side: Longest side of a matrix that gets an eigenbasis; 0 for plain Adam.

    Source: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        decay_start: int = 100,
        max_side: int = MAX_SIDE,
    ):
        super().__init__(parameters, {"lr": lr, "decay_start": decay_start, "max_side": max_side})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = parameter.grad.reshape(len(parameter), -1)
                    _step(parameter, gradient, self.state[parameter], group)


def _step(parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state |= _initial_state(parameter, gradient, group["max_side"])
    state["step"] = t = int(state["step"]) + 1
    if t <= ADAM_STEPS or t % COVARIANCE_INTERVAL == 0:
        _update_covariances(state, gradient)
    if t == ADAM_STEPS or (t > ADAM_STEPS and t % EIGENVECTOR_INTERVAL == 0):
        _update_eigenvectors(state)
    rate = group["lr"] * min(1, t / WARMUP_STEPS) * min(1, group["decay_start"] / t) ** DECAY_POWER
    parameter.sub_(_direction(state, gradient).reshape(parameter.shape), alpha=rate)
    state["average"].lerp_(parameter, 1 / (1 + AVERAGE_SHARE * t))


def _initial_state(parameter: Tensor, gradient: Tensor, max_side: int) -> dict[str, Any]:
    rows, columns = gradient.shape
    state = {"step": 0, "first": torch.zeros_like(gradient), "second": torch.zeros_like(gradient)}
    state["average"] = parameter.detach().clone()
    if min(rows, columns) > MIN_ROWS and rows <= max_side:
        state["left"] = gradient.new_zeros(rows, rows)
    if 1 < columns <= max_side:
        state["right"] = gradient.new_zeros(columns, columns)
    return state


def _direction(state: dict[str, Any], gradient: Tensor) -> Tensor:
    """Return Adam's direction, computed in the eigenbasis."""
    left: Tensor | None = state.get("left basis")
    right: Tensor | None = state.get("right basis")
    t = state["step"]
    gradient = gradient if left is None else left.T @ gradient
    gradient = gradient if right is None else gradient @ right
    first: Tensor = state["first"]
    second: Tensor = state["second"]
    first.lerp_(gradient, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    scale = (second / (1 - BETAS[1] ** t)).sqrt_().add_(EPS)
    direction: Tensor = (first / (1 - BETAS[0] ** t)).div_(scale)
    direction = direction if right is None else torch.mm(direction, right.T)
    return direction if left is None else torch.mm(left, direction)


def _update_covariances(state: dict[str, Any], gradient: Tensor) -> None:
    if "left" in state:
        state["left"].mul_(COVARIANCE_DECAY).addmm_(gradient, gradient.T, alpha=1 - COVARIANCE_DECAY)
    if "right" in state:
        state["right"].mul_(COVARIANCE_DECAY).addmm_(gradient.T, gradient, alpha=1 - COVARIANCE_DECAY)


def _update_eigenvectors(state: dict[str, Any]) -> None:
    """Update the eigenvectors by one step of orthogonal iteration, and rotate the moments into the new basis."""
    first, second = state["first"], state["second"]
    for side in ("left", "right"):
        if (covariance := state.get(side)) is None:
            continue
        basis = state.get(f"{side} basis")
        if basis is None:
            # in float64: the float32 solver fails on tiny covariances and on those with many zeros
            new = torch.linalg.eigh(covariance.double()).eigenvectors.flip(1).to(covariance.dtype)
            rotation, order = new, None
        else:
            image = covariance @ basis
            order = (image * basis).sum(0).argsort(descending=True)
            new = torch.linalg.qr(image[:, order]).Q
            rotation = basis.T @ new
        # contiguous, as after loading from a file: products are then summed in the same order
        state[f"{side} basis"] = new.contiguous()
        if side == "left":
            first.copy_(rotation.T @ first)
            second.copy_(second.mean(0, keepdim=True).expand_as(second) if order is None else second[order])
        else:
            first.copy_(first @ rotation)
            second.copy_(second.mean(1, keepdim=True).expand_as(second) if order is None else second[:, order])


@contextmanager
def averaged_weights(optimizer: Soap) -> Iterator[None]:
    """Replace the weights by their averages for the duration of the block."""
    parameters = [p for group in optimizer.param_groups for p in group["params"] if optimizer.state[p]]
    raw = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(optimizer.state[parameter]["average"])
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, raw, strict=True):
                parameter.copy_(value)
