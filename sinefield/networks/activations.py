"""Activation functions and their registry.

An activation is one class: a `Pointwise` function with its derivatives, registered under the name that the command
line, the recipes and field files use. Its network, a `Perceptron`, follows from it.

>>> import torch
>>> list(ACTIVATIONS)[:3]
['sine', 'relu', 'relu-pe']
>>> ACTIVATIONS["tanh"](2, 1, width=16)(torch.zeros(5, 2)).shape
torch.Size([5, 1])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from torch import Generator, Tensor

from sinefield.networks.layers import Layer, Pointwise
from sinefield.networks.network import Perceptron
from sinefield.registry import Registry

ACTIVATIONS: Registry[type[Perceptron]] = Registry("activation", "sinefield.networks")
"""The network class of each activation, by name."""

Registered = TypeVar("Registered", bound="type[Pointwise] | type[Perceptron]")


def register_activation(
    name: str, *, learning_rate: float, omega_from_signal: bool = False
) -> Callable[[Registered], Registered]:
    """Register an activation: a `Pointwise`, or a `Perceptron` for a network that is more than its activation.

    Args:
        name: The name on the command line and in field files.
        learning_rate: The largest learning rate of SOAP at which a network of width 256 trains reliably;
            `python -m benchmarks.learning_rates PICTURE --activation NAME` prints the quality for a range of rates.
        omega_from_signal: Whether ω of the first layer is chosen by the spectrum of the signal, where it is not given.

    >>> from dataclasses import dataclass
    >>> import torch
    >>> @register_activation("cubic", learning_rate=1e-3)
    ... @dataclass(frozen=True)
    ... class Cubic(Pointwise):
    ...     def derivatives(self, v, order):
    ...         return (v**3, 3 * v**2, 6 * v, torch.full_like(v, 6.0), *[0 * v] * (order - 3))[: order + 1]
    >>> ACTIVATIONS["cubic"](2, 1, width=8, depth=1)(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    >>> ACTIVATIONS.remove("cubic")
    """

    def register(cls: Registered) -> Registered:
        network: type[Perceptron] = cls if issubclass(cls, Perceptron) else network_of(cls)
        network.name, network.learning_rate, network.omega_from_signal = name, learning_rate, omega_from_signal
        ACTIVATIONS.add(name, network)
        return cls

    return register


@cache
def network_of(activation: type[Pointwise]) -> type[Perceptron]:
    """Return the multilayer perceptron of an activation.

    The fields of the activation are options of the network. A field `omega` becomes two options, `omega_first` and
    `omega_hidden`.
    """
    options = dataclasses.fields(activation)  # type: ignore[arg-type]
    names = {each.name: ("omega_first", "omega_hidden") if each.name == "omega" else (each.name,) for each in options}

    def layer(self: Perceptron, index: int) -> Layer:
        return activation(**{name: getattr(self, each[min(index, len(each) - 1)]) for name, each in names.items()})

    def initialize(self: Perceptron, generator: Generator | None) -> None:
        Perceptron.initialize(self, generator)
        for weight in self.weights:
            activation.initialize(weight, generator)

    fields: list[Any] = [
        (name, float, dataclasses.field(default=each.default)) for each in options for name in names[each.name]
    ]
    namespace = {"activation": layer, "initialize": initialize, "__doc__": activation.__doc__}
    made = dataclasses.make_dataclass(
        f"{activation.__name__}Net", fields, bases=(Perceptron,), namespace=namespace, eq=False, repr=False
    )
    made.__module__ = activation.__module__
    return made


def autonomous_derivatives(f: Tensor, q: Sequence[int], order: int) -> tuple[Tensor, ...]:
    """Return f and its derivatives where f′ = q(f) for a polynomial q, given by its coefficients from the constant on.

    Each derivative is a polynomial in f: fₖ = pₖ(f) with p₀(f) = f and pₖ₊₁ = pₖ′ q.
    """
    if order == 0:
        return (f,)
    slope, p = _polynomial(q, f), list(q)
    derivatives = [f, slope]
    for _ in range(order - 1):
        derivative = [k * c for k, c in enumerate(p)][1:]
        # q(f) stays a factor, so that little precision is lost where it is close to zero
        derivatives.append(slope * _polynomial(derivative, f))
        p = [0] * (len(derivative) + len(q) - 1)
        for i, a in enumerate(derivative):
            for j, b in enumerate(q):
                p[i + j] += a * b
    return tuple(derivatives)


def _polynomial(coefficients: Sequence[int], f: Tensor) -> Tensor:
    """Evaluate a polynomial by Horner's scheme, from at least two coefficients with the constant first."""
    *others, last = coefficients
    value = last * f
    for c in reversed(others[1:]):
        value = (value + c if c else value) * f
    return value + others[0] if others[0] else value
