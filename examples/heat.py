"""Solve the heat equation uₜ = Δu on a disc with u = 0 on its rim, and compare with the exact decay of one mode."""

import numpy as np
import torch
from scipy.special import j0, jn_zeros

import sinefield as sf
from sinefield.domain import Region, ball
from sinefield.jets.operators import hessian, jacobian
from sinefield.sampling import Batch, boundary, sobol

K = jn_zeros(0, 1)[0]
"""First zero of the Bessel function J₀, so that J₀(K r) vanishes on the rim."""


def main() -> None:
    disc = ball((0.0, 0.0), radius=1.0)
    domain = sf.domain.box((0.0, -1.0, -1.0), (0.3, 1.0, 1.0), axes=("t", "y", "x"), units=("s", "m", "m"))
    cylinder = Region(domain, lambda x: disc.distance(x[:, 1:]))  # the disc at all times
    in_disc = sobol(disc, 128)

    def initial_points(step):
        return Batch(torch.nn.functional.pad(in_disc(step).x, (1, 0)))  # (y, x) ↦ (0, y, x)

    def heat_equation(jet, batch):
        u_t, u_yy, u_xx = jacobian(jet)[..., 0], hessian(jet)[..., 1, 1], hessian(jet)[..., 2, 2]
        return (u_t - (u_yy + u_xx)) / K**2

    def initial_value(jet, batch):
        return jet.value - torch.special.bessel_j0(K * batch.x[:, 1:].norm(dim=1, keepdim=True))

    constraints = [
        sf.Constraint("equation", sobol(cylinder, 512), heat_equation, order=2, hessian=True),
        sf.Constraint("initial value", initial_points, initial_value, weight=10),
        sf.Constraint("rim", boundary(cylinder, 128), lambda jet, batch: jet.value, weight=10),
    ]
    eval_points = sobol(cylinder, 4096, seed=1)(0).x.numpy()
    problem = sf.Problem("heat", domain, constraints, omega=3.0, reference=exact, eval_points=eval_points)
    field = sf.solve(problem, width=32, depth=1, steps=80)
    error = field.info.quality["relative_l2"]
    print(f"relative L2 error over space and time {error:.1e}")
    assert error < 2e-4, f"the relative error is {error:.1e}; expected less than 2e-4"


def exact(x: np.ndarray) -> np.ndarray:
    """J₀(K r) exp(-K² t), the slowest mode of the disc."""
    t, y, x = x.T
    return (j0(K * np.hypot(y, x)) * np.exp(-(K**2) * t))[:, None]


if __name__ == "__main__":
    main()
