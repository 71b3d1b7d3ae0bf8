"""What all networks share: they say their layers."""

from __future__ import annotations

import dataclasses
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from sinefield.errors import InputError
from sinefield.networks.hard_constraint import HardConstraint
from sinefield.networks.init import default_uniform_
from sinefield.networks.layers import Affine, Layer, through

LIMITS = {"in_dim": (1, 10_000), "out_dim": (1, 100_000), "width": (1, 32_768), "depth": (0, 1000)}
"""What a network's sizes may be; beyond it is a slip of the hand, and would take all memory there is."""


class Network(nn.Module, ABC):
    """A module that is a chain of layers, with a condition where it has one; `jets` differentiates it exactly."""

    hard_constraint: HardConstraint | None = None

    @abstractmethod
    def layers(self) -> Sequence[Layer]:
        """The layers as values, from input to output, holding the present parameters."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Network:
        # a network's own buffers are exact numbers of float64: they follow its device, not its type
        exact = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            moved = self._buffers[name]
            self._buffers[name] = None if buffer is None or moved is None else buffer.to(moved.device)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Φ(x) for x (…, in_dim): (…, out_dim)."""
        value = through(self.layers(), x)
        return value if self.hard_constraint is None else self.hard_constraint(x, value)


@dataclass(eq=False, repr=False)
class Perceptron(Network):
    """A multilayer perceptron: affine, activation, `depth` more of both, and an affine layer at the end.

    Args:
        in_dim: coordinates.
        out_dim: channels.
        width: units in a hidden layer.
        depth: hidden layers after the first.
        generator: where the initial weights come from; the global generator of torch unless given.

    Raises:
        InputError: a size that is no positive whole number.
    """

    in_dim: int
    out_dim: int
    width: int = 256
    depth: int = 3
    generator: InitVar[Generator | None] = field(default=None, kw_only=True)

    def __post_init__(self, generator: Generator | None) -> None:
        super().__init__()
        for name, (least, most) in LIMITS.items():
            try:
                setattr(self, name, operator.index(getattr(self, name)))
            except TypeError:
                raise InputError(f"{name} must be a whole number; it is {getattr(self, name)!r}") from None
            if not least <= getattr(self, name) <= most:
                raise InputError(f"{name} must be from {least} to {most:,}; it is {getattr(self, name)}")
        shapes = self.weight_shapes()
        self.weights = nn.ParameterList(torch.empty(shape) for shape in shapes)
        self.biases = nn.ParameterList(torch.empty(shape[0], *shape[2:]) for shape in shapes)
        self.initialize(generator)

    @abstractmethod
    def activation(self, index: int) -> Layer:
        """What follows affine layer 0 … depth."""

    def weight_shapes(self) -> list[tuple[int, ...]]:
        """(out, in, …) of every affine layer; the bias has the shape (out, …)."""
        sizes = [self.in_dim, *[self.width] * (self.depth + 1), self.out_dim]
        return [(after, before) for before, after in pairwise(sizes)]

    def affine(self, index: int) -> Affine:
        """Affine layer 0 … depth + 1."""
        return Affine(self.weights[index], self.biases[index])

    def initialize(self, generator: Generator | None) -> None:
        """Draw the parameters; PyTorch's default unless a network has its own."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            default_uniform_(weight, weight.shape[1], generator=generator)
            default_uniform_(bias, weight.shape[1], generator=generator)

    def layers(self) -> list[Layer]:
        return self.chained([self.affine(index) for index in range(self.depth + 2)])

    def chained(self, affine: Sequence[Affine]) -> list[Layer]:
        """The layers of a network like this one, or of many at once, with other weights."""
        layers: list[Layer] = []
        for index, each in enumerate(affine[:-1]):
            layers += [each, self.activation(index)]
        return [*layers, affine[-1]]

    def config(self) -> dict[str, Any]:
        """The arguments that make a network of this architecture again."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.config().items())
