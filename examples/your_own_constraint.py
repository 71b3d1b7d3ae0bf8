"""Solve y″ = -y, y(0) = 0, y′(0) = 1 on [0, 6] by three constraints. Run: python examples/your_own_constraint.py"""

import torch

import sinefield as sf
from sinefield.domain import box
from sinefield.networks.on_domain import OnDomain
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import sobol


def main() -> None:
    time = box((0.0,), (6.0,), axes=("t",), units=("s",))
    start = Batch(torch.zeros(1, 1, dtype=torch.float64))
    constraints = [
        sf.Constraint("oscillates", sobol(time, 256), lambda jet, batch: jet.laplacian + jet.value, order=2),
        sf.Constraint("starts at 0", lambda step: start, lambda jet, batch: jet.value),
        sf.Constraint("starts with speed 1", lambda step: start, lambda jet, batch: jet.gradient - 1, order=1),
    ]
    siren = sf.Siren(1, 1, width=32, depth=1, omega_first=2.0, generator=torch.Generator().manual_seed(0))
    field = OnDomain(siren, time)  # t in seconds, so that derivatives are per second
    state, _ = sf.minimize(field, constraints, sf.Soap(field.parameters(), lr=5e-3), sf.Stop(steps=600))
    t = torch.linspace(0, 6, 200, dtype=torch.float64)[:, None]
    with torch.no_grad():
        off = (field(t).double() - torch.sin(t)).abs().max().item()
    print("the terms of the loss at the end:", {name: f"{term:.1e}" for name, term in state.terms.items()})
    print(f"largest distance from sin t: {off:.4f}")
    assert off < 0.01, f"the solution is up to {off:.4f} from sin t; it should be less than 0.01"


if __name__ == "__main__":
    main()
