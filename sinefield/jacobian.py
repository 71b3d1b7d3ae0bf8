"""J, the derivatives of residuals by the parameters: listed, or for values alone from factors of each layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from sinefield.constraints import Constraint
from sinefield.errors import InputError
from sinefield.fields import Network
from sinefield.fields.layers import Affine, Pointwise
from sinefield.jets import propagate
from sinefield.problems.regression import difference
from sinefield.samplers import Batch

CHUNK = 256
"""Points whose derivatives are taken at once."""

Columns = dict[nn.Parameter, Tensor]
"""What belongs to each parameter, of its shape."""


class Jacobian(ABC):
    """A row for each residual, a column for each number in the parameters; float64."""

    @abstractmethod
    def kernel(self) -> Tensor:
        """J Jᵀ, shape (m, m)."""

    @abstractmethod
    def along(self, step: Columns) -> Tensor:
        """J φ, shape (m,)."""

    @abstractmethod
    def pulled(self, y: Tensor) -> Columns:
        """Jᵀ y for y (m,)."""


def linearised(
    function: Network, constraints: Sequence[Constraint], batches: Sequence[Batch]
) -> tuple[Tensor, dict[str, float], Jacobian]:
    """Residuals times the roots of their weights, so that the loss is the sum of their squares.

    Returns:
        The residuals (m,), the terms of the loss by the constraints' names, and J.

    Raises:
        InputError: a constraint whose norm is no square or that takes several points together, or for values a network
            that is no chain of affine and pointwise layers.
    """
    for constraint in constraints:
        if constraint.norm is not torch.square or constraint.group != 1:
            raise InputError(f"natural gradients are for squares at single points; {constraint.name!r} is none")
    if len(constraints) == 1 and constraints[0].residual is difference:
        residual, roots, layers = _of_values(function, constraints[0], batches[0])
        return residual, {constraints[0].name: float(residual.square().sum())}, Layered(layers, roots)
    found = [_of_points(function, *each) for each in zip(constraints, batches, strict=True)]
    terms = {
        constraint.name: float(residual.square().sum())
        for constraint, (residual, _) in zip(constraints, found, strict=True)
    }
    columns = {
        parameter: torch.cat([rows[name] for _, rows in found])
        for name, parameter in function.named_parameters()
        if parameter.requires_grad
    }
    return torch.cat([residual for residual, _ in found]), terms, Listed(columns)


@dataclass(frozen=True)
class Listed(Jacobian):
    """J as it is: for each parameter (m, numbers in it)."""

    columns: dict[nn.Parameter, Tensor]

    def kernel(self) -> Tensor:
        return torch.stack([rows @ rows.T for rows in self.columns.values()]).sum(0)

    def along(self, step: Columns) -> Tensor:
        return torch.stack([rows @ step[each].double().flatten() for each, rows in self.columns.items()]).sum(0)

    def pulled(self, y: Tensor) -> Columns:
        return {each: (rows.T @ y).reshape(each.shape) for each, rows in self.columns.items()}


@dataclass(frozen=True)
class Layered(Jacobian):
    """J of values, from inputs a (n, in) and slopes g (n, c, out) of each affine layer: rows g ⊗ (a, 1) · roots (n, c).

    So J Jᵀ is the sum over the layers of (aᵢ · aⱼ + 1)(gᵢ · gⱼ), and J itself is never made.
    """

    layers: Sequence[tuple[nn.Parameter, nn.Parameter, Tensor, Tensor]]
    roots: Tensor

    def kernel(self) -> Tensor:
        m = self.roots.numel()
        products = [
            torch.einsum("iaf,jbf->iajb", g, g) * (a @ a.T + 1)[:, None, :, None] for *_, a, g in self._scaled()
        ]
        return torch.stack([product.reshape(m, m) for product in products]).sum(0)

    def along(self, step: Columns) -> Tensor:
        return torch.stack(
            [
                torch.einsum("if,iaf->ia", a @ step[weight].double().T + step[bias].double(), g).flatten()
                for weight, bias, a, g in self._scaled()
            ]
        ).sum(0)

    def pulled(self, y: Tensor) -> Columns:
        found: Columns = {}
        for weight, bias, a, g in self._scaled():
            back = torch.einsum("ia,iaf->if", y.view_as(self.roots), g)
            found |= {weight: back.T @ a, bias: back.sum(0)}
        return found

    def _scaled(self) -> list[tuple[nn.Parameter, nn.Parameter, Tensor, Tensor]]:
        return [(weight, bias, a, g * self.roots[..., None]) for weight, bias, a, g in self.layers]


class _Residual(nn.Module):
    """C at one point, as a function of the parameters."""

    def __init__(self, function: Network, constraint: Constraint):
        super().__init__()
        self.function, self.constraint = function, constraint

    def forward(self, x: Tensor, *known: Tensor | None) -> Tensor:
        jet = propagate(self.function, x[None], self.constraint.order, hessian=self.constraint.hessian)
        batch = Batch(x[None], *(None if each is None else each[None] for each in known))
        return self.constraint.residual(jet, batch)[0]


def _of_points(function: Network, constraint: Constraint, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Residuals (m,) of one constraint, and J by the parameters' names, both times the roots of the weights."""
    module, prefix = _Residual(function, constraint), "function."
    parameters = {name: each.detach() for name, each in module.named_parameters() if each.requires_grad}

    def at(values: dict[str, Tensor], *known: Tensor | None) -> tuple[Tensor, Tensor]:
        residual = functional_call(module, values, known)
        return residual, residual

    known = (batch.x, batch.target, None, batch.normal)
    where = (None, *(None if each is None else 0 for each in known))
    rows, residual = vmap(jacrev(at, has_aux=True), in_dims=where, chunk_size=CHUNK)(parameters, *known)
    roots = _roots(constraint, batch, residual)
    listed = {
        name.removeprefix(prefix): each.double().reshape(residual.numel(), -1) * roots.reshape(-1, 1)
        for name, each in rows.items()
    }
    return (residual.double() * roots).flatten(), listed


def _roots(constraint: Constraint, batch: Batch, residual: Tensor) -> Tensor:
    """√(w / m) for each residual, and of the point's own weight if it has one."""
    weight = torch.full(
        residual.shape, constraint.weight / residual.numel(), dtype=torch.float64, device=residual.device
    )
    own = 1 if batch.weight is None else batch.weight.double().reshape(len(residual), *[1] * (residual.ndim - 1))
    return (weight * own).sqrt()


def _of_values(
    function: Network, constraint: Constraint, batch: Batch
) -> tuple[Tensor, Tensor, list[tuple[nn.Parameter, nn.Parameter, Tensor, Tensor]]]:
    """Φ(x) - a(x) times the roots of the weights (m,), these (n, c), and each affine layer with inputs and slopes."""
    layers, h = function.layers(), batch.x
    forward: list[Tensor] = []
    for layer in layers:
        if isinstance(layer, Pointwise):
            h, slope = layer.derivatives(h, 1)
            forward.append(slope)
        else:
            forward.append(h)
            h = layer(h)
    found: list[tuple[nn.Parameter, nn.Parameter, Tensor, Tensor]] = []
    slope = torch.eye(h.shape[-1], dtype=h.dtype, device=h.device).expand(len(h), -1, -1)
    for layer, kept in zip(reversed(layers), reversed(forward), strict=True):
        match layer:
            case Affine(weight, bias) if weight.requires_grad:
                found.append((weight, bias, kept.double(), slope.double()))  # type: ignore[arg-type]
                slope = slope @ weight
            case Pointwise():
                slope = slope * kept[:, None]
            case _:
                break
    if len(found) < sum(isinstance(layer, Affine) and layer.weight.requires_grad for layer in layers):
        raise InputError("a natural gradient is for chains of affine and pointwise layers")
    assert batch.target is not None
    residual = (h - batch.target).double()
    roots = _roots(constraint, batch, residual)
    return (residual * roots).flatten(), roots, found
