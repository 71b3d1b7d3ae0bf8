"""Waves that leave a point in an open plane, beside Hankel's function. Run: python examples/helmholtz.py"""

import sinefield as sf
from sinefield.problems.helmholtz import helmholtz


def main() -> None:
    problem = helmholtz(wavenumber=8.0, size=256)
    field = sf.solve(problem, width=32, depth=1, steps=120)
    real, imaginary = field([0.0, 0.3]).tolist()
    print(f"the wave 0.3 m to the right: {real:.4f} {imaginary:+.4f}i")
    error = field.info.quality["relative_l2"]
    print(f"relative L2 error {error:.1e}")
    assert error < 0.05, f"the wave is off by {error:.1%}; it should be less than 5%"


if __name__ == "__main__":
    main()
