"""Estimate the thermal diffusivity of soil from temperatures over two years, by exact derivatives in physical units."""

import numpy as np
import torch

import sinefield as sf

DIFFUSIVITY = 0.04
"""Thermal diffusivity κ of the soil, in m²/day."""

YEAR = 365.0
"""Length of a year, in days."""


def main() -> None:
    day, depth = np.arange(0, 730, 10.0), np.arange(0, 8, 0.25)
    temperature = soil_temperature(day[:, None], depth)
    signal = sf.from_array(temperature, step=(10.0, 0.25), axes=("time", "depth"), units=("day", "m"))
    field = sf.fit(signal, recipe="natural", width=48, steps=100)
    print(f"on day 33 at 1.1 m: {field([33.0, 1.1]).item():.3f} °C, exact {soil_temperature(33.0, 1.1):.3f} °C")

    # Least-squares fit of the heat equation ∂T/∂t = κ ∂²T/∂z². At the borders of the data the second derivative is
    # known from one side only, so two samples on each side are left out.
    x = torch.cartesian_prod(*map(torch.from_numpy, (day[2:-2], depth[2:-2])))
    jet = sf.propagate(field, x, order=2, hessian=True)
    t_rate, z_curvature = jet.gradient[:, 0, 0], jet.hessian[:, 0, 1, 1]
    diffusivity = ((t_rate @ z_curvature) / (z_curvature @ z_curvature)).item()
    print(f"diffusivity {diffusivity:.5f} m²/day, exact {DIFFUSIVITY}")
    error = abs(diffusivity / DIFFUSIVITY - 1)
    assert error < 0.02, f"the diffusivity is off by {error:.1%}; expected less than 2%"


def soil_temperature(day, depth):
    """Temperature in °C: the annual cycle at the surface propagates downwards as a damped wave."""
    depth = depth / np.sqrt(DIFFUSIVITY * YEAR / np.pi)
    return 10 + 12 * np.exp(-depth) * np.sin(2 * np.pi * day / YEAR - depth)


if __name__ == "__main__":
    main()
