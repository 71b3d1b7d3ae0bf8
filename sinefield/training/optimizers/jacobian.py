"""The Jacobian J of residuals with respect to the parameters, from the inputs and outputs of the affine layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sinefield.constraints.constraint import Constraint
from sinefield.errors import InputError
from sinefield.jets import Jet, Tap, propagate
from sinefield.sampling.batch import Batch

Columns = dict[Tensor, Tensor]
"""One tensor for each parameter, of the shape of the parameter."""

MAX_ENTRIES = 2**23
"""Largest number of entries of J that are formed at once."""


@dataclass(frozen=True)
class Block:
    """The Jacobian of one constraint for one affine layer z = W h + b, which maps each component s of a jet.

    Attributes:
        weight, bias: W, shape (out, in), and b, shape (out,).
        h: Components of the input jet, shape (s, n, in); the first is the value.
        g: Derivatives of the residuals with respect to the components of the output jet, shape (s, n, c, out).
    """

    weight: Tensor
    bias: Tensor
    h: Tensor
    g: Tensor

    @property
    def rows(self) -> int:
        """The number of residuals."""
        return self.g.shape[1] * self.g.shape[2]

    def weight_rows(self, outputs: slice) -> Tensor:
        """Return the derivatives with respect to W[outputs], Σₛ gₛ ⊗ hₛ, one row for each residual."""
        return torch.einsum("snco,sni->ncoi", self.g[..., outputs], self.h).reshape(self.rows, -1)

    def matvec(self, step: Columns) -> Tensor:
        z = self.h @ step[self.weight].double().T
        z[0] += step[self.bias].double()
        return torch.einsum("sno,snco->nc", z, self.g).flatten()

    def transposed_matvec(self, y: Tensor) -> Columns:
        back = torch.einsum("nc,snco->sno", y.view(self.g.shape[1:3]), self.g)
        return {self.weight: torch.einsum("sno,sni->oi", back, self.h), self.bias: back[0].sum(0)}


@dataclass(frozen=True)
class Jacobian:
    """J with one row for each residual and one column for each parameter, in float64; it is never formed as a whole.

    Attributes:
        layers: For each affine layer one block for each constraint.
    """

    layers: Sequence[Sequence[Block]]

    def kernel(self) -> Tensor:
        """Return J Jᵀ, shape (m, m): the sum over the layers of (Σₛₜ gₛgₜᵀ ∘ hₛhₜᵀ) + g₀g₀ᵀ, or of products of rows
        of J where that is less work."""
        first = self.layers[0]
        m = sum(block.rows for block in first)
        kernel = first[0].g.new_zeros(m, m)
        for blocks in self.layers:
            out, into = blocks[0].weight.shape
            bias = torch.cat([block.g[0].flatten(0, 1) for block in blocks])
            kernel.addmm_(bias, bias.T)
            if max(len(block.h) for block in blocks) ** 2 * (out + into) < out * into:
                _add_products(kernel, blocks)
                continue
            rows_at_once = max(MAX_ENTRIES // (m * into), 1)
            for start in range(0, out, rows_at_once):
                rows = torch.cat([block.weight_rows(slice(start, start + rows_at_once)) for block in blocks])
                kernel.addmm_(rows, rows.T)
        return kernel

    def matvec(self, step: Columns) -> Tensor:
        """Return J φ, shape (m,)."""
        return torch.stack([torch.cat([block.matvec(step) for block in blocks]) for blocks in self.layers]).sum(0)

    def transposed_matvec(self, y: Tensor) -> Columns:
        """Return Jᵀ y, one tensor for each parameter."""
        found: Columns = {}
        for blocks in self.layers:
            for block, part in zip(blocks, y.split([block.rows for block in blocks]), strict=True):
                for parameter, column in block.transposed_matvec(part).items():
                    found[parameter] = found[parameter] + column if parameter in found else column
        return found


def linearize(
    function: nn.Module, constraints: Sequence[Constraint], batches: Sequence[Batch]
) -> tuple[Tensor, dict[str, float], Jacobian]:
    """Return residuals on batches and their Jacobian, weighted so that the loss is the sum of the squared residuals.

    Returns:
        The residuals, shape (m,), in float64; the terms of the loss by the names of the constraints; and J.

    Raises:
        InputError: A constraint has a norm other than the square or groups of points, or the network is not a chain of
            affine and pointwise layers.

    Source: for values Dangel, Kunstner and Hennig, "BackPACK", 2020; for derivatives, which go through a layer as the
    value does, Dangel, Müller and Zeinhofer, "Kronecker-Factored Approximate Curvature for Physics-Informed Neural
    Networks", 2024.
    """
    for constraint in constraints:
        if constraint.norm is not torch.square or constraint.group != 1:
            raise InputError(
                f"natural gradients need the squared norm at single points; {constraint.name!r} has another norm or "
                "groups"
            )
    found = [_blocks(function, *each) for each in zip(constraints, batches, strict=True)]
    terms = {
        constraint.name: float(residual.square().sum())
        for constraint, (residual, _) in zip(constraints, found, strict=True)
    }
    layers = list(zip(*(blocks for _, blocks in found), strict=True))
    return torch.cat([residual for residual, _ in found]), terms, Jacobian(layers)


@torch.enable_grad()
def _blocks(function: nn.Module, constraint: Constraint, batch: Batch) -> tuple[Tensor, list[Block]]:
    """Return the residuals (m,) of one constraint and one block for each affine layer, both weighted."""
    tap: Tap = []
    jet = propagate(function, batch.x, constraint.order, hessian=constraint.hessian, tap=tap)
    tap = [each for each in tap if each[0].weight.requires_grad]
    seen = {each for layer, _, _ in tap for each in (layer.weight, layer.bias)}
    if any(each.requires_grad and each not in seen for each in function.parameters()) or jet.value.is_complex():
        raise InputError("natural gradients need a chain of affine and pointwise layers; take another optimizer")
    residual = constraint.residual(jet, batch).reshape(len(batch.x), -1)
    leaving = [part for _, _, after in tap for part in _components(after)]
    # each residual depends on one point only, so the gradient of the sum holds the gradients of all
    slopes = [
        torch.autograd.grad(column.sum(), leaving, retain_graph=True, materialize_grads=True)
        for column in residual.unbind(1)
    ]
    root, blocks = _weight_roots(constraint, batch, residual.detach()), []
    for index, (layer, before, _) in enumerate(tap):
        parts = len(_components(before))
        g = torch.stack([_stacked(grads[index * parts : (index + 1) * parts]) for grads in slopes], dim=2)
        blocks.append(Block(layer.weight, layer.bias, _stacked(_components(before)), g * root[..., None]))
    return (residual.detach().double() * root).flatten(), blocks


def _components(jet: Jet) -> list[Tensor]:
    return [part for part in jet if part is not None]


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """Stack the components (n, m, …) of a jet of m channels to (s, n, m), in float64."""
    return torch.cat(
        [
            part.detach().double().flatten(2).movedim(-1, 0) if part.ndim > 2 else part.detach().double()[None]
            for part in parts
        ]
    )


def _weight_roots(constraint: Constraint, batch: Batch, residual: Tensor) -> Tensor:
    """Return √(w / m) for each residual (n, c), with the weight of the point included."""
    weight = torch.full(
        residual.shape, constraint.weight / residual.numel(), dtype=torch.float64, device=residual.device
    )
    return (weight if batch.weight is None else weight * batch.weight.double()).sqrt()


def _add_products(kernel: Tensor, blocks: Sequence[Block]) -> None:
    """Add Σₛₜ gₛgₜᵀ ∘ hₛhₜᵀ to the symmetric kernel, one pair of constraints after another."""
    ends = torch.tensor([0, *(block.rows for block in blocks)]).cumsum(0).tolist()
    for i, one in enumerate(blocks):
        for j, other in enumerate(blocks[: i + 1]):
            (n, c), (k, e) = one.g.shape[1:3], other.g.shape[1:3]
            found = kernel.new_zeros(n, c, k, e)
            for h, g in zip(one.h, one.g, strict=True):
                for a, b in zip(other.h, other.g, strict=True):
                    product = (g.flatten(0, 1) @ b.flatten(0, 1).T).view(n, c, k, e)
                    found.addcmul_(product, (h @ a.T)[:, None, :, None])
            found = found.view(n * c, k * e)
            kernel[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] += found
            if i != j:
                kernel[ends[j] : ends[j + 1], ends[i] : ends[i + 1]] += found.T
