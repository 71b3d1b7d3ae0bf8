"""What all networks share: they say their layers."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from sinefield.errors import InputError
from sinefield.fields.layers import Affine, Layer
from sinefield.init import default_uniform_


class Network(nn.Module, ABC):
    """A module that is a chain of layers; `jets` differentiates the chain exactly."""

    @abstractmethod
    def layers(self) -> Sequence[Layer]:
        """The layers as values, from input to output, holding the present parameters."""

    def forward(self, x: Tensor) -> Tensor:
        """Φ(x) for x (…, in_dim): (…, out_dim)."""
        for layer in self.layers():
            x = layer(x)
        return x


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
    generator: InitVar[Generator | None] = None

    def __post_init__(self, generator: Generator | None) -> None:
        super().__init__()
        for name, least in {"in_dim": 1, "out_dim": 1, "width": 1, "depth": 0}.items():
            if not (isinstance(size := getattr(self, name), int) and size >= least):
                raise InputError(f"{name} must be a whole number, at least {least}; it is {size!r}")
        shapes = self.weight_shapes()
        self.weights = nn.ParameterList(torch.empty(shape) for shape in shapes)
        self.biases = nn.ParameterList(torch.empty(shape[0], *shape[2:]) for shape in shapes)
        self.initialise(generator)

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

    def initialise(self, generator: Generator | None) -> None:
        """Draw the parameters; PyTorch's default unless a network has its own."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            default_uniform_(weight, weight.shape[1], generator=generator)
            default_uniform_(bias, weight.shape[1], generator=generator)

    def layers(self) -> list[Layer]:
        chain: list[Layer] = []
        for index in range(self.depth + 1):
            chain += [self.affine(index), self.activation(index)]
        return [*chain, self.affine(self.depth + 1)]

    def config(self) -> dict[str, Any]:
        """The arguments that make a network of this architecture again."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.config().items())
