"""The derivative of noisy measurements, from the field that leaves their noise alone."""

import numpy as np
from scipy.interpolate import make_smoothing_spline

import sinefield as sf


def main(noise: float = 0.1, count: int = 400, steps: int = 100) -> tuple[float, float]:
    """Measure sin(t) with noise at random times; returns the rms error of the slope, by the field and by a spline."""
    random = np.random.default_rng(0)
    t = np.sort(random.uniform(0, 10, count))
    measured = np.sin(t) + noise * random.standard_normal(count)

    signal = sf.from_points(t, measured, axes=("t",), units=("s",))
    field = sf.fit(signal, steps=steps)

    inside = slice(count // 20, -count // 20)  # at its ends a slope is known from one side only
    exact = np.cos(t)[inside]
    slope = field.gradient(t[:, None]).numpy()[inside, 0, 0]
    spline = make_smoothing_spline(t, measured).derivative()(t)[inside]  # smoothed as cross-validation says
    field_error, spline_error = (float(np.sqrt(np.mean((found - exact) ** 2))) for found in (slope, spline))
    print(f"rms error of the slope: {field_error:.3f} by the field, {spline_error:.3f} by a smoothing spline")
    return field_error, spline_error


if __name__ == "__main__":
    main()
