"""Natural gradient: the step that makes a linear model of the residuals right at a batch of samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sinefield.constraints.constraint import Constraint
from sinefield.networks import Network
from sinefield.training.optimizers.jacobian import Columns, linearize

DAMPING, NOISE, MOMENTUM, WARM = 1e-6, 100.0, 0.9, 10
"""λ as a share of the mean of the kernel's diagonal, at least, and as so many times the loss; μ; and the steps over
which the rate grows."""


class Natural(Optimizer):
    """θ ← θ - lr φ with φ = μ φ₋ + Jᵀ (J Jᵀ + λ)⁻¹ (r - μ J φ₋): Gauss and Newton's step, solved among samples.

    r are the residuals of a batch and J their derivatives by the parameters θ, so J Jᵀ has as many rows as there are
    residuals. The last step φ₋ keeps what other batches have said. λ goes with the loss, as in Levenberg's and
    Marquardt's method: it vanishes where samples can be met, and leaves alone the noise that cannot. For smooth
    functions this needs a hundredth of the steps of a method of first order; where each sample has a detail of its own,
    it does not help.

    Args:
        parameters: or groups of them.
        lr: the learning rate, 1 for the whole of the step.
        noise: λ is so many times the loss. 100 leaves the noise of measurements alone; an equation, which has none, is
            solved faster with 1 or less.

    Source: Goldshlager, Abrahamsen and Lin, "A Kaczmarz-inspired approach to accelerate the optimization of neural
    network wavefunctions" (SPRING), 2024; for equations Guzmán-Cordero et al., "Improving Energy Natural Gradient
    Descent through Woodbury, Momentum, and Randomization", 2025; λ as in Fan and Yuan, "On the Quadratic Convergence
    of the Levenberg-Marquardt Method without Nonsingularity Assumption", 2005.
    """

    def __init__(self, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], lr: float, noise: float = NOISE):
        super().__init__(parameters, {"lr": lr, "noise": noise})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        raise TypeError("a natural gradient needs the residuals one by one; call descend")

    @torch.no_grad()
    def descend(self, function: Network, constraints: Sequence[Constraint], step: int) -> dict[str, float]:
        """One step towards constraints; returns the terms of the loss before it, NaN if none can be taken.

        Raises:
            InputError: as for `linearised`.
        """
        group = self.param_groups[0]
        device = next(function.parameters()).device
        batches = [constraint.sampler(step).to(device) for constraint in constraints]
        residual, terms, jacobian = linearize(function, constraints, batches)
        last: Columns = {each: self.state[each].get("last", torch.zeros_like(each)) for each in function.parameters()}
        residual = residual - MOMENTUM * jacobian.along(last)
        kernel = jacobian.kernel()
        share = max(DAMPING, group["noise"] * sum(terms.values()))
        kernel.diagonal().add_(share * kernel.diagonal().mean())
        factor, failed = torch.linalg.cholesky_ex(kernel)
        if failed or not residual.isfinite().all():
            return dict.fromkeys(terms, math.nan)
        way = jacobian.pulled(torch.cholesky_solve(residual[:, None], factor)[:, 0])
        for parameter, part in way.items():
            state = self.state[parameter]
            state["step"] = t = int(state.get("step", 0)) + 1
            state["last"] = part.to(parameter) + MOMENTUM * last[parameter]
            parameter.sub_(state["last"], alpha=group["lr"] * min(1, t / WARM))
        return terms
