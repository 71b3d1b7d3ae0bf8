"""Solve the heat equation uₜ = Δu on a disc with a cold rim, and compare with its closed form, a mode that fades."""

import numpy as np
import torch
from scipy.special import j0, jn_zeros

import sinefield as sf
from sinefield.domain import Region, ball
from sinefield.jets.operators import hessian, jacobian
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import boundary, sobol

K = jn_zeros(0, 1)[0]
"""J₀(K) = 0, so that the rim is cold."""


def main() -> None:
    disc = ball((0.0, 0.0), radius=1.0)
    domain = sf.domain.box((0.0, -1.0, -1.0), (0.3, 1.0, 1.0), axes=("t", "y", "x"), units=("s", "m", "m"))
    cylinder = Region(domain, lambda x: disc.distance(x[:, 1:]))  # the disc at all times
    first = sobol(disc, 128)

    def beginning(step):
        return Batch(torch.nn.functional.pad(first(step).x, (1, 0)))  # (y, x) ↦ (0, y, x)

    def heat(jet, batch):
        u_t, u_yy, u_xx = jacobian(jet)[..., 0], hessian(jet)[..., 1, 1], hessian(jet)[..., 2, 2]
        return (u_t - (u_yy + u_xx)) / K**2

    def begins(jet, batch):
        return jet.value - torch.special.bessel_j0(K * batch.x[:, 1:].norm(dim=1, keepdim=True))

    constraints = [
        sf.Constraint("equation", sobol(cylinder, 512), heat, order=2, hessian=True),
        sf.Constraint("beginning", beginning, begins, weight=10),
        sf.Constraint("rim", boundary(cylinder, 128), lambda jet, batch: jet.value, weight=10),
    ]
    judged = sobol(cylinder, 4096, seed=1)(0).x.numpy()
    problem = sf.Problem("heat", domain, constraints, omega=3.0, reference=exact, eval_points=judged)
    field = sf.solve(problem, width=32, depth=1, steps=80)
    error = field.info.quality["relative_l2"]
    print(f"relative L2 error over the whole time {error:.1e}")
    assert error < 2e-4, f"the relative error is {error:.1e}; it should be less than 2e-4"


def exact(x: np.ndarray) -> np.ndarray:
    """J₀(K r) exp(-K² t), the slowest of the disc's modes."""
    t, y, x = x.T
    return (j0(K * np.hypot(y, x)) * np.exp(-(K**2) * t))[:, None]


if __name__ == "__main__":
    main()
