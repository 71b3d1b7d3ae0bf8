"""Solve the Stokes equations -Δv + ∇p = f, ∇·v = 0 in a square, with v = 0 on the boundary and a known solution."""

import numpy as np
import torch

import sinefield as sf
from sinefield.jets.operators import divergence, jacobian, laplacian
from sinefield.sampling import boundary, sobol

PI = np.pi

SCALE = 4 * PI**2
"""Typical size of Δv where v is about 1; the momentum residual is divided by it."""


def main() -> None:
    domain = sf.domain.box((0.0, 0.0), (1.0, 1.0), axes=("y", "x"), units=("m", "m"))

    def momentum(jet, batch):
        v_laplacian, p_gradient = laplacian(jet)[:, :2], jacobian(jet)[:, 2]
        return (-v_laplacian + p_gradient - force(batch.x)) / SCALE

    def mass(jet, batch):
        return divergence(jet.channels(slice(0, 2))) / (2 * PI)

    inside = sobol(domain, 256)
    constraints = [
        sf.Constraint("momentum", inside, momentum, order=2),
        sf.Constraint("mass", inside, mass, order=1),
        sf.Constraint("boundary", boundary(domain, 128), lambda jet, batch: jet.value[:, :2]),
    ]
    problem = sf.Problem("stokes", domain, constraints, channels=("v_y", "v_x", "p"), omega=7.0)
    field = sf.solve(problem, width=48, depth=1, steps=80)

    points = sobol(domain, 4096, seed=1)(0).x.numpy()
    reference = exact(points)
    difference = field.at(points) - reference
    difference[:, 2] -= difference[:, 2].mean()  # the pressure is determined up to a constant
    error = float(np.linalg.norm(difference) / np.linalg.norm(reference))
    print(f"relative L2 error of velocity and pressure {error:.1e}")
    assert error < 1e-3, f"the relative error is {error:.1e}; expected less than 1e-3"


def force(x: torch.Tensor) -> torch.Tensor:
    """The force f = -Δv + ∇p of the solution that `exact` returns."""
    (y, x), sin, cos = x.T, torch.sin, torch.cos
    f_y = SCALE * sin(2 * PI * x) * (cos(2 * PI * y) - 0.5) - PI * sin(PI * y) * cos(PI * x)
    f_x = SCALE * sin(2 * PI * y) * (0.5 - cos(2 * PI * x)) - PI * cos(PI * y) * sin(PI * x)
    return torch.stack([f_y, f_x], dim=1)


def exact(x: np.ndarray) -> np.ndarray:
    """v = (-∂ψ/∂x, ∂ψ/∂y) with ψ = sin²(πy) sin²(πx) / π, and p = cos(πy) cos(πx)."""
    (y, x), sin, cos = PI * x.T, np.sin, np.cos
    return np.stack([-(sin(y) ** 2) * sin(2 * x), sin(2 * y) * sin(x) ** 2, cos(y) * cos(x)], axis=1)


if __name__ == "__main__":
    main()
