"""Solve Burgers' equation uₜ + u uₓ = ν uₓₓ from u = -sin(πx), and compare with the Cole-Hopf solution."""

import numpy as np
import torch

import sinefield as sf

VISCOSITY = 0.05
"""Viscosity ν, in m²/s."""


def main() -> None:
    domain = sf.domain.box((0.0, -1.0), (1.0, 1.0), axes=("t", "x"), units=("s", "m"))

    def burgers(jet, batch):
        (u_t, u_x), u_xx = jet.gradient.unbind(-1), jet.hessian[..., 1, 1]
        return u_t + jet.value * u_x - VISCOSITY * u_xx

    def initial_value(jet, batch):
        return jet.value + torch.sin(torch.pi * batch.x[:, 1:]).to(jet.value)

    start = sf.sampling.boundary(domain, 64, faces=[(0, 0)])
    sides = sf.sampling.boundary(domain, 64, faces=[(1, 0), (1, 1)])
    constraints = [
        sf.Constraint("equation", sf.sampling.sobol(domain, 512), burgers, order=2, hessian=True),
        sf.Constraint("initial value", start, initial_value, weight=10),
        sf.Constraint("boundary", sides, lambda jet, batch: jet.value, weight=10),
    ]
    siren = sf.Siren(2, 1, width=32, depth=1, omega_first=5.0, generator=torch.Generator().manual_seed(0))
    field = sf.OnDomain(siren.double(), domain)
    sf.minimize(field, constraints, "natural", steps=125)

    points = sf.sampling.sobol(domain, 4096, seed=1)(0).x
    with torch.no_grad():
        solution = field(points)[:, 0].numpy()
    reference = exact(*points.numpy().T)
    error = float(np.linalg.norm(solution - reference) / np.linalg.norm(reference))
    print(f"relative L2 error {error:.1e}")
    assert error < 1e-3, f"the relative error is {error:.1e}; expected less than 1e-3"


def exact(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Cole (1951) and Hopf (1950): a ratio of integrals against a Gaussian of width √(4νt)."""
    node, weight = np.polynomial.hermite.hermgauss(100)
    y = np.pi * (x[:, None] - np.sqrt(4 * VISCOSITY * t)[:, None] * node)
    f = weight * np.exp(-np.cos(y) / (2 * np.pi * VISCOSITY))
    return -(np.sin(y) * f).sum(1) / f.sum(1)


if __name__ == "__main__":
    main()
