"""Estimate the derivative of noisy measurements, and compare with a smoothing spline."""

import numpy as np
from scipy.interpolate import make_smoothing_spline

import sinefield as sf


def main() -> None:
    random, count = np.random.default_rng(0), 400
    t = np.sort(random.uniform(0, 10, count))
    measured = np.sin(t) + 0.1 * random.standard_normal(count)

    signal = sf.from_points(t, measured, axes=("t",), units=("s",))
    field = sf.fit(signal, steps=100)

    inside = slice(count // 20, -count // 20)  # at the ends the slope is known from one side only
    exact = np.cos(t)[inside]
    field_slope = field.gradient(t[:, None])[inside, 0, 0]
    spline_slope = make_smoothing_spline(t, measured).derivative()(t)[inside]  # smoothing by cross-validation
    by_field, by_spline = (float(np.sqrt(np.mean((slope - exact) ** 2))) for slope in (field_slope, spline_slope))
    print(f"rms error of the slope: {by_field:.3f} by the field, {by_spline:.3f} by the smoothing spline")
    assert by_field < 0.1, f"the rms error of the slope is {by_field:.3f}; expected less than 0.1"


if __name__ == "__main__":
    main()
