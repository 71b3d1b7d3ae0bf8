"""The jet of a network with a hard constraint, u = g + φ Φ, from the jet of the network Φ."""

from __future__ import annotations

from torch import Tensor

from sinefield.jets import autograd
from sinefield.jets.jet import Jet
from sinefield.networks.hard_constraint import HardConstraint


def constrained(hard_constraint: HardConstraint, x: Tensor, jet: Jet) -> Jet:
    """Apply the product rule, ∇u = ∇g + φ ∇Φ + Φ ∇φ and so on, with g and φ differentiated by autograd.

    Args:
        hard_constraint: Lift g and factor φ.
        x: Points, shape (n, d).
        jet: Jet of Φ at x.

    Returns:
        The jet of u, with the same derivatives as `jet`.
    """
    order = 0 if jet.gradient is None else 1 if jet.laplacian is None and jet.hessian is None else 2
    hessian = jet.hessian is not None
    differentiable = x.requires_grad or jet.value.requires_grad

    def convert(part: Tensor | None) -> Tensor | None:
        # autograd.propagate builds a graph, which must not be kept when nothing requires a gradient
        return None if part is None else (part if differentiable else part.detach()).to(jet.value)

    g, f = (
        Jet(*map(convert, autograd.propagate(each, x.double(), order, hessian=hessian)))  # type: ignore[arg-type]
        for each in (hard_constraint.lift, hard_constraint.factor)
    )
    u = Jet(g.value + f.value * jet.value)
    if jet.gradient is None or f.gradient is None or g.gradient is None:
        return u
    u = u._replace(gradient=g.gradient + f.value[..., None] * jet.gradient + jet.value[..., None] * f.gradient)
    if jet.laplacian is not None and f.laplacian is not None and g.laplacian is not None:
        mixed = 2 * (f.gradient * jet.gradient).sum(-1)
        u = u._replace(laplacian=g.laplacian + f.value * jet.laplacian + mixed + jet.value * f.laplacian)
    if jet.hessian is not None and f.hessian is not None and g.hessian is not None:
        mixed = f.gradient[..., :, None] * jet.gradient[..., None, :]
        u = u._replace(
            hessian=g.hessian
            + f.value[..., None, None] * jet.hessian
            + mixed
            + mixed.transpose(-1, -2)
            + jet.value[..., None, None] * f.hessian
        )
    return u
