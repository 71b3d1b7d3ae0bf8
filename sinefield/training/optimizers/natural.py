"""Natural gradients: steps that solve a linear model of the residuals on a batch of samples."""

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

MIN_DAMPING = 1e-6
"""Smallest damping λ, as a share of the mean of the kernel's diagonal."""

NOISE = 100.0
"""Default ratio of the damping to the loss."""

MOMENTUM = 0.9
"""Weight μ of the previous step."""

WARMUP_STEPS = 10
"""Steps over which the learning rate increases linearly."""


class Natural(Optimizer):
    """Natural gradients: θ ← θ - lr φ, φ = μ φ₋ + Jᵀ (J Jᵀ + λ)⁻¹ (r - μ J φ₋), Gauss-Newton steps in sample space.

    r are the residuals of a batch and J their derivatives with respect to the parameters θ, so J Jᵀ has one row per
    residual. The previous step φ₋ keeps information of previous batches. The damping λ is proportional to the loss, as
    in the Levenberg-Marquardt method: it vanishes where the samples can be fitted, and it suppresses noise that
    cannot. Smooth functions need a hundredth of the steps of a first-order method; functions with independent details
    at each sample do not benefit.

    Args:
        parameters: Parameters or groups of them.
        lr: Learning rate; 1 takes the whole step.
        noise: Ratio of the damping to the loss. The default of 100 suppresses the noise of measurements; an equation,
            which has none, is solved faster with 1 or less.

    Source: Goldshlager, Abrahamsen and Lin, "A Kaczmarz-inspired approach to accelerate the optimization of neural
    network wavefunctions" (SPRING), 2024; for equations Guzmán-Cordero et al., "Improving Energy Natural Gradient
    Descent through Woodbury, Momentum, and Randomization", 2025; λ as in Fan and Yuan, "On the Quadratic Convergence
    of the Levenberg-Marquardt Method without Nonsingularity Assumption", 2005.
    """

    def __init__(self, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], lr: float, noise: float = NOISE):
        super().__init__(parameters, {"lr": lr, "noise": noise})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        raise TypeError("Natural needs the individual residuals; call descend instead of step")

    @torch.no_grad()
    def descend(self, function: Network, constraints: Sequence[Constraint], step: int) -> dict[str, float]:
        """Take one step; return the terms of the loss before it by name, NaN if no step can be taken.

        Raises:
            InputError: As for `linearize`.
        """
        group = self.param_groups[0]
        device = next(function.parameters()).device
        batches = [constraint.sampler(step).to(device) for constraint in constraints]
        residual, terms, jacobian = linearize(function, constraints, batches)
        previous: Columns = {}
        for each in function.parameters():
            previous[each] = self.state[each].get("last", torch.zeros_like(each))
        residual = residual - MOMENTUM * jacobian.matvec(previous)
        kernel = jacobian.kernel()
        damping = max(MIN_DAMPING, group["noise"] * sum(terms.values()))
        kernel.diagonal().add_(damping * kernel.diagonal().mean())
        factor, failed = torch.linalg.cholesky_ex(kernel)
        if failed or not residual.isfinite().all():
            return dict.fromkeys(terms, math.nan)
        direction = jacobian.transposed_matvec(torch.cholesky_solve(residual[:, None], factor)[:, 0])
        for parameter, part in direction.items():
            state = self.state[parameter]
            state["step"] = t = int(state.get("step", 0)) + 1
            state["last"] = part.to(parameter) + MOMENTUM * previous[parameter]
            parameter.sub_(state["last"], alpha=group["lr"] * min(1, t / WARMUP_STEPS))
        return terms
