"""The jet of u = g + φ Φ, from that of Φ."""

from __future__ import annotations

from torch import Tensor

from sinefield.jets import autograd
from sinefield.jets.jet import Jet
from sinefield.networks.hard_constraint import HardConstraint


def constrained(hard_constraint: HardConstraint, x: Tensor, jet: Jet) -> Jet:
    """∇u = ∇g + φ ∇Φ + Φ ∇φ and so on: Leibniz's rule, with g and φ differentiated by autograd."""
    order, hessian = 2 if jet.laplacian is not None or jet.hessian is not None else 1, jet.hessian is not None
    order = order if jet.gradient is not None else 0

    trained = x.requires_grad or jet.value.requires_grad

    def like(part: Tensor | None) -> Tensor | None:
        # autograd leaves a graph behind, which nobody wants of a field that is only looked at
        return None if part is None else (part if trained else part.detach()).to(jet.value)

    g, f = (
        Jet(*map(like, autograd.propagate(each, x.double(), order, hessian=hessian)))  # type: ignore[arg-type]
        for each in (hard_constraint.lift, hard_constraint.factor)
    )
    found = Jet(g.value + f.value * jet.value)
    if jet.gradient is None or f.gradient is None or g.gradient is None:
        return found
    found = found._replace(gradient=g.gradient + f.value[..., None] * jet.gradient + jet.value[..., None] * f.gradient)
    if jet.laplacian is not None and f.laplacian is not None and g.laplacian is not None:
        crossed = 2 * (f.gradient * jet.gradient).sum(-1)
        found = found._replace(laplacian=g.laplacian + f.value * jet.laplacian + crossed + jet.value * f.laplacian)
    if jet.hessian is not None and f.hessian is not None and g.hessian is not None:
        crossed = f.gradient[..., :, None] * jet.gradient[..., None, :]
        found = found._replace(
            hessian=g.hessian
            + f.value[..., None, None] * jet.hessian
            + crossed
            + crossed.transpose(-1, -2)
            + jet.value[..., None, None] * f.hessian
        )
    return found
