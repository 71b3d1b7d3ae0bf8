"""How well soil conducts, from its temperatures over two years: exact derivatives in an array's own units."""

import numpy as np
import torch

import sinefield as sf

DIFFUSIVITY, YEAR = 0.04, 365.0
"""In m² a day, and in days."""


def main() -> None:
    day, depth = np.arange(0, 730, 10.0), np.arange(0, 8, 0.25)
    temperatures = soil(day[:, None], depth)
    signal = sf.from_array(temperatures, step=(10.0, 0.25), axes=("time", "depth"), units=("day", "m"))
    field = sf.fit(signal, recipe="natural", width=48, steps=100)
    print(f"on day 33, 1.1 m down: {field([33.0, 1.1]).item():.3f} °C, exact {soil(33.0, 1.1):.3f} °C")

    # the heat equation ∂T/∂t = κ ∂²T/∂z², in the sense of least squares; at its ends a curvature is known from one side
    x = torch.cartesian_prod(*map(torch.from_numpy, (day[2:-2], depth[2:-2])))
    jet = sf.propagate(field, x, order=2, hessian=True)
    rate, bend = jet.gradient[:, 0, 0], jet.hessian[:, 0, 1, 1]
    found = ((rate @ bend) / (bend @ bend)).item()
    print(f"diffusivity {found:.5f} m² a day, exact {DIFFUSIVITY}")
    off = abs(found / DIFFUSIVITY - 1)
    assert off < 0.02, f"the diffusivity is off by {off:.1%}; it should be less than 2%"


def soil(day, depth):
    """The year at the surface goes down as a wave that fades, in °C."""
    depth = depth / np.sqrt(DIFFUSIVITY * YEAR / np.pi)
    return 10 + 12 * np.exp(-depth) * np.sin(2 * np.pi * day / YEAR - depth)


if __name__ == "__main__":
    main()
