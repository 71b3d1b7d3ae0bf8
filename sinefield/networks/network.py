"""The interface of all networks, and the multilayer perceptron."""

from __future__ import annotations

import dataclasses
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from sinefield.errors import InputError
from sinefield.networks.hard_constraint import HardConstraint
from sinefield.networks.init import default_uniform_
from sinefield.networks.layers import Affine, Layer, through

SIZE_LIMITS = {"in_dim": (1, 10_000), "out_dim": (1, 100_000), "width": (1, 32_768), "depth": (0, 1000)}
"""Smallest and largest value of each size; larger values are typing errors that would exhaust the memory."""


class Network(nn.Module, ABC):
    """A chain of layers, optionally with a hard constraint, which `sinefield.jets` differentiates exactly."""

    hard_constraint: HardConstraint | None = None

    @abstractmethod
    def layers(self) -> Sequence[Layer]:
        """Return the layers as values, from input to output, with the current parameters."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Network:
        # buffers such as the center of a domain are exact float64 numbers: they follow the device, not the type
        exact = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            moved = self._buffers[name]
            self._buffers[name] = None if buffer is None or moved is None else buffer.to(moved.device)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return Φ(x), shape (…, out_dim), for x of shape (…, in_dim)."""
        value = through(self.layers(), x)
        return value if self.hard_constraint is None else self.hard_constraint(x, value)


@dataclass(eq=False, repr=False)
class Perceptron(Network):
    """A multilayer perceptron: an affine layer and an activation, `depth` more of both, and a last affine layer.

    Subclasses are registered by `sinefield.networks.activations.register_activation`, which sets the class attributes.

    Args:
        in_dim: Number of coordinates.
        out_dim: Number of channels.
        width: Units in a hidden layer.
        depth: Hidden layers after the first.
        generator: Source of the initial weights; PyTorch's global generator by default.

    Attributes:
        name: Name of the activation on the command line and in field files.
        learning_rate: Learning rate of SOAP for a network of width 256.
        omega_from_signal: Whether ω of the first layer is chosen by the spectrum of the signal, where it is not given.
        real: Whether all weights are real matrices, as natural gradients and stacked networks require.

    Raises:
        InputError: A size is not a positive integer.
    """

    name: ClassVar[str]
    learning_rate: ClassVar[float]
    omega_from_signal: ClassVar[bool] = False
    real: ClassVar[bool] = True

    in_dim: int
    out_dim: int
    width: int = 256
    depth: int = 3
    generator: InitVar[Generator | None] = field(default=None, kw_only=True)

    def __post_init__(self, generator: Generator | None) -> None:
        super().__init__()
        for name, (smallest, largest) in SIZE_LIMITS.items():
            try:
                setattr(self, name, operator.index(getattr(self, name)))
            except TypeError:
                raise InputError(f"{name} must be a whole number; it is {getattr(self, name)!r}") from None
            if not smallest <= getattr(self, name) <= largest:
                raise InputError(f"{name} must be from {smallest} to {largest:,}; it is {getattr(self, name)}")
        shapes = self.weight_shapes()
        self.weights = nn.ParameterList(torch.empty(shape) for shape in shapes)
        self.biases = nn.ParameterList(torch.empty(shape[0], *shape[2:]) for shape in shapes)
        self.initialize(generator)

    @abstractmethod
    def activation(self, index: int) -> Layer:
        """Return the layer after affine layer 0 … depth."""

    @classmethod
    def has_omega(cls) -> bool:
        """Whether the first layer has a frequency factor ω."""
        return "omega_first" in {each.name for each in dataclasses.fields(cls)}

    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Return (out, in, …) of every affine layer; the bias has the shape (out, …)."""
        sizes = [self.in_dim, *[self.width] * (self.depth + 1), self.out_dim]
        return [(after, before) for before, after in pairwise(sizes)]

    def affine(self, index: int) -> Affine:
        """Return affine layer 0 … depth + 1."""
        return Affine(self.weights[index], self.biases[index])

    def initialize(self, generator: Generator | None) -> None:
        """Draw the parameters, by PyTorch's default unless overridden."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            default_uniform_(weight, weight.shape[1], generator=generator)
            default_uniform_(bias, weight.shape[1], generator=generator)

    def layers(self) -> list[Layer]:
        return self.chained([self.affine(index) for index in range(self.depth + 2)])

    def chained(self, affine: Sequence[Affine]) -> list[Layer]:
        """Return the layers of a network of this architecture with the given affine layers, of one or many networks."""
        layers: list[Layer] = []
        for index, each in enumerate(affine[:-1]):
            layers += [each, self.activation(index)]
        return [*layers, affine[-1]]

    def config(self) -> dict[str, Any]:
        """Return the arguments that create a network of this architecture."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.config().items())
