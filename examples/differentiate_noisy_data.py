"""The derivative of noisy measurements, from the field that leaves their noise alone."""

import numpy as np
from scipy.interpolate import make_smoothing_spline

import sinefield as sf


def main() -> None:
    random, count = np.random.default_rng(0), 400
    t = np.sort(random.uniform(0, 10, count))
    measured = np.sin(t) + 0.1 * random.standard_normal(count)

    signal = sf.from_points(t, measured, axes=("t",), units=("s",))
    field = sf.fit(signal, steps=100)

    inside = slice(count // 20, -count // 20)  # at its ends a slope is known from one side only
    exact = np.cos(t)[inside]
    slope = field.gradient(t[:, None]).numpy()[inside, 0, 0]
    spline = make_smoothing_spline(t, measured).derivative()(t)[inside]  # smoothed as cross-validation says
    by_field, by_spline = (float(np.sqrt(np.mean((found - exact) ** 2))) for found in (slope, spline))
    print(f"rms error of the slope: {by_field:.3f} by the field, {by_spline:.3f} by a smoothing spline")
    assert by_field < 0.1, f"the slope is off by {by_field:.3f}; it should be less than 0.1"


if __name__ == "__main__":
    main()
