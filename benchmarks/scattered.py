"""Between scattered points: smooth functions of three variables, from their values at random places in the unit cube.

    python -m benchmarks.scattered [--points 5000] [--steps 100 300 1000] [--omegas 3 6 12 24] [--noise 0.1]

Prints one Markdown table: the relative L2 error of value and gradient on 10,000 fresh points against the closed form,
for the ω that the default recipe chooses (auto) and for others, after so many steps of one fit; beside them radial
basis functions (thin-plate splines through the 64 nearest points, scipy).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from sinefield.signals.points import from_points
from sinefield.tasks.fit import fit

FRESH = 10_000

Function = Callable[[NDArray], tuple[NDArray, NDArray]]
"""Points (n, 3) ↦ values (n,) and gradients (n, 3)."""


def waves(points: NDArray) -> tuple[NDArray, NDArray]:
    """sin(3x) · cos(2y) · exp(z)."""
    x, y, z = points.T
    value = np.sin(3 * x) * np.cos(2 * y) * np.exp(z)
    slopes = 3 * np.cos(3 * x) * np.cos(2 * y) * np.exp(z), -2 * np.sin(3 * x) * np.sin(2 * y) * np.exp(z), value
    return value, np.stack(slopes, axis=-1)


def hills(points: NDArray) -> tuple[NDArray, NDArray]:
    """Two Gaussians, of standard deviations 0.3 and 0.15."""
    value, slope = np.zeros(len(points)), np.zeros(points.shape)
    for height, center, width in ((1.0, (0.3, 0.4, 0.5), 0.3), (-0.7, (0.7, 0.6, 0.3), 0.15)):
        away = points - center
        hill = height * np.exp(-np.square(away).sum(axis=-1) / (2 * width**2))
        value, slope = value + hill, slope - away / width**2 * hill[:, None]
    return value, slope


def fitted(
    function: Function, count: int, omega: float | None, steps: list[int], noise: float
) -> Iterator[tuple[int, float, float, float, float]]:
    """Steps, ω, the errors of value and gradient, and seconds, of one fit that goes on from each number to the next."""
    coords = np.random.default_rng(0).random((count, 3))
    fresh = np.random.default_rng(1).random((FRESH, 3))
    signal, (value, slope) = from_points(coords, measured(function, coords, noise)), function(fresh)
    with tempfile.TemporaryDirectory() as folder:
        for number in sorted(steps):
            field = fit(signal, omega=omega, steps=number, checkpoint=folder, resume=number != min(steps))
            errors = relative(field(fresh).numpy()[:, 0], value), relative(field.gradient(fresh).numpy()[:, 0], slope)
            yield number, field.network.omega_first, *errors, field.info.seconds


def splined(function: Function, count: int, noise: float) -> tuple[float, float]:
    """The error of the value by radial basis functions, and seconds."""
    coords = np.random.default_rng(0).random((count, 3))
    fresh = np.random.default_rng(1).random((FRESH, 3))
    began = perf_counter()
    found = RBFInterpolator(coords, measured(function, coords, noise), neighbors=64)(fresh)
    return relative(found, function(fresh)[0]), perf_counter() - began


def measured(function: Function, coords: NDArray, noise: float) -> NDArray:
    """Values with noise of a share of their standard deviation."""
    value = function(coords)[0]
    return value + noise * value.std() * np.random.default_rng(2).standard_normal(len(value))


def relative(found: NDArray, reference: NDArray) -> float:
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--omegas", type=float, nargs="*", default=[3.0, 6.0, 12.0, 24.0])
    parser.add_argument("--noise", type=float, default=0.0, help="as a share of the values' standard deviation")
    options = parser.parse_args()
    print("| function | by | steps | value | gradient | seconds |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for function in (waves, hills):
        error, seconds = splined(function, options.points, options.noise)
        print(f"| {function.__name__} | splines | | {error:.1e} | | {seconds:.0f} |", flush=True)
        for given in (None, *options.omegas):
            for steps, omega, *errors, seconds in fitted(function, options.points, given, options.steps, options.noise):
                by = f"ω {omega:g}" + (" (auto)" if given is None else "")
                cells = [function.__name__, by, str(steps), *(f"{each:.1e}" for each in errors), f"{seconds:.0f}"]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
