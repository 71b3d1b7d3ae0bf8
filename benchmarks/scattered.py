"""Error of smooth functions of three variables that are fitted to their values at random points of the unit cube.

    python -m benchmarks.scattered [--points 5000] [--steps 100 300 1000] [--omegas 3 6 12 24] [--noise 0.1]

Prints one Markdown table: the relative L2 errors of value and gradient at 10,000 other points, against the closed form,
with the ω that the default recipe chooses (auto) and with others, after each number of steps of one fit. The first row
of each function is the error of radial basis functions (thin-plate splines through the 64 nearest points, SciPy).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from sinefield.signals.points import from_points
from sinefield.tasks.fit import fit

EVAL_POINTS = 10_000
"""Points at which the errors are evaluated."""

Function = Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]
"""Points (n, 3) ↦ values (n,) and gradients (n, 3)."""


def waves(points: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return sin(3x) · cos(2y) · exp(z) and its gradient."""
    x, y, z = points.T
    value = np.sin(3 * x) * np.cos(2 * y) * np.exp(z)
    slopes = 3 * np.cos(3 * x) * np.cos(2 * y) * np.exp(z), -2 * np.sin(3 * x) * np.sin(2 * y) * np.exp(z), value
    return value, np.stack(slopes, axis=-1)


def hills(points: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the sum of two Gaussians with standard deviations 0.3 and 0.15, and its gradient."""
    value, slope = np.zeros(len(points)), np.zeros(points.shape)
    for height, center, width in ((1.0, (0.3, 0.4, 0.5), 0.3), (-0.7, (0.7, 0.6, 0.3), 0.15)):
        offset = points - center
        hill = height * np.exp(-np.square(offset).sum(axis=-1) / (2 * width**2))
        value, slope = value + hill, slope - offset / width**2 * hill[:, None]
    return value, slope


def fit_errors(
    function: Function, count: int, omega: float | None, steps: list[int], noise: float
) -> Iterator[tuple[int, float, float, float, float]]:
    """Yield (steps, ω, error of the value, error of the gradient, seconds) after each number of steps of one fit."""
    coords = np.random.default_rng(0).random((count, 3))
    points = np.random.default_rng(1).random((EVAL_POINTS, 3))
    signal, (value, slope) = from_points(coords, noisy_values(function, coords, noise)), function(points)
    with tempfile.TemporaryDirectory() as folder:
        for number in sorted(steps):
            field = fit(signal, omega=omega, steps=number, checkpoint=folder, resume=number != min(steps))
            value_error = relative_error(field(points)[:, 0], value)
            slope_error = relative_error(field.gradient(points)[:, 0], slope)
            yield number, float(field.info.settings["omega"]), value_error, slope_error, field.info.seconds


def spline_error(function: Function, count: int, noise: float) -> tuple[float, float]:
    """Return the error of the value of radial basis functions, and the time in seconds."""
    coords = np.random.default_rng(0).random((count, 3))
    points = np.random.default_rng(1).random((EVAL_POINTS, 3))
    start = perf_counter()
    values = RBFInterpolator(coords, noisy_values(function, coords, noise), neighbors=64)(points)
    return relative_error(values, function(points)[0]), perf_counter() - start


def noisy_values(function: Function, coords: NDArray[Any], noise: float) -> NDArray[Any]:
    """Return values with Gaussian noise, relative to their standard deviation."""
    value = function(coords)[0]
    return np.asarray(value + noise * value.std() * np.random.default_rng(2).standard_normal(len(value)))


def relative_error(values: NDArray[Any], reference: NDArray[Any]) -> float:
    return float(np.linalg.norm(values - reference) / np.linalg.norm(reference))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=5000, help="number of points that are fitted")
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 300, 1000], help="steps after which to evaluate")
    parser.add_argument("--omegas", type=float, nargs="*", default=[3.0, 6.0, 12.0, 24.0], help="ω of more fits")
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        help="standard deviation of the noise, relative to that of the values",
    )
    options = parser.parse_args()
    print("| function | by | steps | value | gradient | seconds |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for function in (waves, hills):
        error, seconds = spline_error(function, options.points, options.noise)
        print(f"| {function.__name__} | radial basis functions | | {error:.1e} | | {seconds:.0f} |", flush=True)
        for given in (None, *options.omegas):
            for steps, omega, *errors, seconds in fit_errors(
                function, options.points, given, options.steps, options.noise
            ):
                by = f"sinefield, ω {omega:g}" + (" (auto)" if given is None else "")
                cells = [function.__name__, by, str(steps), *(f"{each:.1e}" for each in errors), f"{seconds:.0f}"]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
