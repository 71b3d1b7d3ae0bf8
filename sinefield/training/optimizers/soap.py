"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner, for networks of small matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

ADAM, WARM = 10, 20
"""Plain Adam goes until the first of these steps, whose bases come from a few gradients instead of one; the learning
rate grows until the second."""

BETAS, COVARIANCE, EPS = (0.8, 0.999), 0.95, 1e-12
"""The memory of the first and second moments, and of the covariances."""

MEASURE, TURN = 2, 20
"""Steps between two updates of the covariances, and between two of their eigenvectors."""

DECAY, AVERAGE = 0.75, 0.05
"""The power of the steps by which the rate falls, and the share of the steps over which weights are averaged."""

NARROW, WIDEST = 8, 2048
"""A matrix with a shorter side has the covariance of its columns alone; a side that is longer has none, unless told
otherwise."""


class Soap(Optimizer):
    """SOAP with a rate that falls by itself and averaged weights, so that it is good whenever it is stopped.

    With the gradient G of a matrix, L = E[G Gᵀ] and R = E[Gᵀ G], Adam's step is taken for Q_Lᵀ G Q_R, where Q_L and
    Q_R are the eigenvectors of L and R; a vector, or a side that is too long, keeps its own basis. The rate at step t
    is lr · min(1, t / 20) · min(1, (held / t)^¾).

    Args:
        parameters: or groups of them; of two axes or more, the last ones taken as one; vectors are stepped by Adam.
        lr: the highest learning rate.
        held: the step from which on it falls.
        widest: sides that are longer keep their own basis; with 0 it is Adam.

    Source: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        held: int = 100,
        max_side: int = WIDEST,
    ):
        super().__init__(parameters, {"lr": lr, "held": held, "widest": max_side})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = parameter.grad.reshape(len(parameter), -1)
                    _step(parameter, gradient, self.state[parameter], group)


def _step(parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state |= _beginning(parameter, gradient, group["widest"])
    state["step"] = t = int(state["step"]) + 1
    if t <= ADAM or t % MEASURE == 0:
        _measure(state, gradient)
    if t == ADAM or (t > ADAM and t % TURN == 0):
        _turn(state)
    rate = group["lr"] * min(1, t / WARM) * min(1, group["held"] / t) ** DECAY
    parameter.sub_(_direction(state, gradient).reshape(parameter.shape), alpha=rate)
    state["average"].lerp_(parameter, 1 / (1 + AVERAGE * t))


def _beginning(parameter: Tensor, gradient: Tensor, max_side: int) -> dict[str, Any]:
    rows, columns = gradient.shape
    state = {"step": 0, "first": torch.zeros_like(gradient), "second": torch.zeros_like(gradient)}
    state["average"] = parameter.detach().clone()
    if min(rows, columns) > NARROW and rows <= max_side:  # the covariance of a narrow matrix's rows has no full rank
        state["left"] = gradient.new_zeros(rows, rows)
    if 1 < columns <= max_side:
        state["right"] = gradient.new_zeros(columns, columns)
    return state


def _direction(state: dict[str, Any], gradient: Tensor) -> Tensor:
    """Adam's direction, in the eigenbasis and back."""
    left: Tensor | None = state.get("left basis")
    right: Tensor | None = state.get("right basis")
    t = state["step"]
    gradient = gradient if left is None else left.T @ gradient
    gradient = gradient if right is None else gradient @ right
    first: Tensor = state["first"]
    second: Tensor = state["second"]
    first.lerp_(gradient, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    size = (second / (1 - BETAS[1] ** t)).sqrt_().add_(EPS)
    direction: Tensor = (first / (1 - BETAS[0] ** t)).div_(size)
    direction = direction if right is None else torch.mm(direction, right.T)
    return direction if left is None else torch.mm(left, direction)


def _measure(state: dict[str, Any], gradient: Tensor) -> None:
    if "left" in state:
        state["left"].mul_(COVARIANCE).addmm_(gradient, gradient.T, alpha=1 - COVARIANCE)
    if "right" in state:
        state["right"].mul_(COVARIANCE).addmm_(gradient.T, gradient, alpha=1 - COVARIANCE)


def _turn(state: dict[str, Any]) -> None:
    """Bring the eigenvectors up to date, by one step of orthogonal iteration, and the moments into the new basis."""
    first, second = state["first"], state["second"]
    for side in ("left", "right"):
        if (covariance := state.get(side)) is None:
            continue
        basis = state.get(f"{side} basis")
        if basis is None:
            # in float64: one that is tiny, or has many zeros, is beyond float32's solver
            new = torch.linalg.eigh(covariance.double()).eigenvectors.flip(1).to(covariance.dtype)
            rotation, order = new, None
        else:
            image = covariance @ basis
            order = (image * basis).sum(0).argsort(descending=True)
            new = torch.linalg.qr(image[:, order]).Q
            rotation = basis.T @ new
        state[f"{side} basis"] = new.contiguous()  # as it is once it was saved, so that sums are taken in one order
        if side == "left":
            first.copy_(rotation.T @ first)
            second.copy_(second.mean(0, keepdim=True).expand_as(second) if order is None else second[order])
        else:
            first.copy_(first @ rotation)
            second.copy_(second.mean(1, keepdim=True).expand_as(second) if order is None else second[:, order])


@contextmanager
def averaged(optimizer: Soap) -> Iterator[None]:
    """The averaged weights for as long as the block lasts."""
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
