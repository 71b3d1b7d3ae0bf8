"""Solve the oscillator y″ = -y with y(0) = 0 and y′(0) = 1 on [0, 6] by three constraints, and compare with sin t."""

import torch

import sinefield as sf
from sinefield.sampling import Batch, sobol


def main() -> None:
    time = sf.domain.box((0.0,), (6.0,), axes=("t",), units=("s",))
    start = Batch(torch.zeros(1, 1, dtype=torch.float64))
    constraints = [
        sf.Constraint("equation", sobol(time, 256), lambda jet, batch: jet.laplacian + jet.value, order=2),
        sf.Constraint("initial value", lambda step: start, lambda jet, batch: jet.value),
        sf.Constraint("initial velocity", lambda step: start, lambda jet, batch: jet.gradient - 1, order=1),
    ]
    siren = sf.Siren(1, 1, width=32, depth=1, omega_first=2.0, generator=torch.Generator().manual_seed(0))
    field = sf.OnDomain(siren, time)  # takes t in seconds, so that derivatives are per second
    state = sf.minimize(field, constraints, sf.Soap(field.parameters(), lr=5e-3), steps=600)
    t = torch.linspace(0, 6, 200, dtype=torch.float64)[:, None]
    with torch.no_grad():
        error = (field(t).double() - torch.sin(t)).abs().max().item()
    print("terms of the loss at the end:", {name: f"{term:.1e}" for name, term in state.terms.items()})
    print(f"largest difference from sin t: {error:.4f}")
    assert error < 0.01, f"the solution differs from sin t by up to {error:.4f}; expected less than 0.01"


if __name__ == "__main__":
    main()
