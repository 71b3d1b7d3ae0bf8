"""Natural gradient: the step that makes a linear model of the field right at a batch of samples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sinefield.errors import InputError
from sinefield.fields import Network
from sinefield.fields.layers import Affine, Pointwise
from sinefield.samplers import Batch

DAMPING, NOISE, MOMENTUM, WARM = 1e-6, 100.0, 0.9, 10
"""λ as a share of the mean of the kernel's diagonal, at least, and as so many times the mean squared residual; μ; and
the steps over which the rate grows."""


class Natural(Optimizer):
    """θ ← θ - lr φ with φ = μ φ₋ + Jᵀ (J Jᵀ + λ)⁻¹ (r - μ J φ₋): Gauss and Newton's step, solved among samples.

    r are the residuals of a batch and J their derivatives by the parameters θ. J Jᵀ has as many rows as there are
    residuals, and is made layer by layer without J: for inputs a and slopes g of an affine layer it is the sum of
    (aᵢ · aⱼ + 1)(gᵢ · gⱼ). The last step φ₋ keeps what other batches have said. λ goes with the loss, as in Levenberg's
    and Marquardt's method: it vanishes where samples can be met, and leaves alone the noise that cannot. For smooth
    functions this needs a hundredth of the steps of a method of first order; where each sample has a detail of its own,
    it does not help.

    Args:
        parameters: or groups of them.
        lr: the learning rate, 1 for the whole of the step.

    Source: Goldshlager, Abrahamsen and Lin, "A Kaczmarz-inspired approach to accelerate the optimization of neural
    network wavefunctions" (SPRING), 2024; λ as in Fan and Yuan, "On the Quadratic Convergence of the
    Levenberg-Marquardt Method without Nonsingularity Assumption", 2005.
    """

    def __init__(self, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], lr: float):
        super().__init__(parameters, {"lr": lr})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        raise TypeError("a natural gradient needs the residuals one by one; call descend")

    @torch.no_grad()
    def descend(self, function: Network, batch: Batch) -> float:
        """One step towards a batch's targets; returns the mean squared residual before it, NaN if none can be taken.

        Raises:
            InputError: a network that is no chain of affine and pointwise layers.
        """
        assert batch.target is not None
        value, affine, inputs, slopes = _linearised(function, batch.x)
        residual = (value - batch.target).flatten().double()
        wide = [(a.double(), g.double()) for a, g in zip(inputs, slopes, strict=True)]
        count, channels = value.shape
        kernel = sum(
            (torch.einsum("iaf,jbf->iajb", g, g) * (a @ a.T + 1)[:, None, :, None]).view(residual.numel(), -1)
            for a, g in wide
        )
        assert isinstance(kernel, Tensor)
        last = [self.state[layer.weight].get("last") for layer in affine]
        last_bias = [self.state[layer.bias].get("last") for layer in affine]
        for (a, g), weight, bias in zip(wide, last, last_bias, strict=True):
            if weight is not None and bias is not None:
                along = a @ weight.double().T + bias.double()
                residual = residual - MOMENTUM * torch.einsum("if,iaf->ia", along, g).flatten()
        loss = float((value - batch.target).double().square().mean())
        kernel.diagonal().add_(max(DAMPING, NOISE * loss) * kernel.diagonal().mean())
        factor, failed = torch.linalg.cholesky_ex(kernel)
        if failed or not residual.isfinite().all():
            return math.nan
        solved = torch.cholesky_solve(residual[:, None], factor).view(count, channels)
        lr = self.param_groups[0]["lr"]
        for layer, (a, g) in zip(affine, wide, strict=True):
            pulled = torch.einsum("ia,iaf->if", solved, g)
            for parameter, step in ((layer.weight, pulled.T @ a), (layer.bias, pulled.sum(0))):
                state = self.state[parameter]
                state["step"] = t = int(state.get("step", 0)) + 1
                before = state.get("last")
                state["last"] = step.to(parameter) if before is None else step.to(parameter) + MOMENTUM * before
                parameter.sub_(state["last"], alpha=lr * min(1, t / WARM))
        return loss


def _linearised(function: Network, x: Tensor) -> tuple[Tensor, list[Affine], list[Tensor], list[Tensor]]:
    """The values (n, c), the affine layers that learn, their inputs (n, in), and the values' slopes by their outputs.

    A slope is (n, c, out).
    """
    layers, h = function.layers(), x
    forward: list[Tensor] = []
    affine: list[Affine] = []
    for layer in layers:
        match layer:
            case Affine():
                forward.append(h)
                h = layer(h)
            case Pointwise():
                h, slope = layer.derivatives(h, 1)
                forward.append(slope)
            case _:
                forward.append(h)
                h = layer(h)
    inputs: list[Tensor] = []
    slopes: list[Tensor] = []
    slope = torch.eye(h.shape[-1], dtype=h.dtype, device=h.device).expand(len(h), -1, -1)
    for layer, kept in zip(reversed(layers), reversed(forward), strict=True):
        match layer:
            case Affine():
                if not layer.weight.requires_grad:
                    break
                affine.append(layer)
                inputs.append(kept)
                slopes.append(slope)
                slope = slope @ layer.weight
            case Pointwise():
                slope = slope * kept[:, None]
            case _:
                break
    if len(affine) < sum(isinstance(layer, Affine) and layer.weight.requires_grad for layer in layers):
        raise InputError("a natural gradient is for chains of affine and pointwise layers")
    return h, affine, inputs, slopes
