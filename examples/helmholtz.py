"""Solve the Helmholtz equation of a point source in an unbounded plane, and compare with the Hankel function."""

import sinefield as sf
from sinefield.problems.helmholtz import helmholtz


def main() -> None:
    problem = helmholtz(wavenumber=8.0, size=256)
    field = sf.solve(problem, width=32, depth=1, steps=120)
    real, imaginary = field([0.0, 0.3]).tolist()
    print(f"wave 0.3 m to the right of the source: {real:.4f} {imaginary:+.4f}i")
    error = field.info.quality["relative_l2"]
    print(f"relative L2 error {error:.1e}")
    assert error < 0.05, f"the relative error is {error:.1%}; expected less than 5%"


if __name__ == "__main__":
    main()
